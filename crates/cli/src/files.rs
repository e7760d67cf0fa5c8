//! Files that are written whole or not at all, and the folders they lie in.

use crate::output;
use anyhow::{Context, Result, bail};
use lanescope_trace::TraceError;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process;

/// Writes a file whole or not at all.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    // A link is followed; a pipe or a device is written to, not replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir()) {
        let file = File::options().write(true).open(path);
        let mut file =
            BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?);
        write(&mut file)?;
        return Ok(file.flush()?);
    }
    Part::write(path, write)?.publish()
}

/// Prints a text, or writes it to a file whole or not at all.
pub(crate) fn write_text(to: &Path, text: &str) -> Result<()> {
    if to == Path::new("-") {
        return output::data(text);
    }
    write_file(to, |file| Ok(file.write_all(text.as_bytes())?))?;
    output::note(format!("wrote {}", to.display()));
    Ok(())
}

/// Refuses to write several files of which one has the name of a folder, before any is written.
pub(crate) fn refuse_folders(files: &[PathBuf]) -> Result<()> {
    match files.iter().find(|file| file.is_dir()) {
        Some(folder) => bail!("{} is a folder, expected a file or none", folder.display()),
        None => Ok(()),
    }
}

/// Whether what was to be written could not be read: the file is not at fault.
fn is_of_input(error: &anyhow::Error) -> bool {
    let read = error.downcast_ref::<TraceError>();
    read.is_some_and(|error| !matches!(error, TraceError::Output { .. }))
}

/// A file that was written whole; unless it is published, it is gone.
#[must_use]
pub(crate) struct Part {
    path: PathBuf,
    place: Place,
}

/// Where a file is until it has its name.
enum Place {
    /// Nowhere: the system takes it away when it is closed, also where the command is killed.
    Unnamed(File),
    /// Where a file system has none of those: beside its name, under one that is hidden. Whoever reads all files of the
    /// folder meanwhile leaves it out.
    Hidden(PathBuf),
    /// Under its name.
    Published,
}

impl Part {
    pub(crate) fn write(
        path: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
    ) -> Result<Self> {
        let (place, file) = Place::new(path).with_context(|| failure(path))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let written = write(&mut file).and_then(|()| Ok(file.flush()?));
        written.map_err(|error| match is_of_input(&error) {
            true => error,
            false => error.context(failure(path)),
        })?;
        Ok(Self {
            path: path.to_owned(),
            place,
        })
    }

    /// Gives the file its name.
    pub(crate) fn publish(mut self) -> Result<()> {
        self.name().with_context(|| failure(&self.path))
    }

    fn name(&mut self) -> io::Result<()> {
        // A name can be given to what has none only where nothing has it: to replace a file takes two steps.
        if let Place::Unnamed(file) = &self.place {
            self.place = Place::Hidden(link(file, &self.path)?);
        }
        if let Place::Hidden(hidden) = &self.place {
            fs::rename(hidden, &self.path)?;
        }
        self.place = Place::Published;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Place::Hidden(hidden) = &self.place {
            // Nothing is left to tell it to.
            let _ = fs::remove_file(hidden);
        }
    }
}

impl Place {
    /// Makes a file that may take the name `path`.
    fn new(path: &Path) -> io::Result<(Self, File)> {
        if let Some(file) = unnamed(path) {
            return Ok((Self::Unnamed(file.try_clone()?), file));
        }
        for hidden in hidden_names(path) {
            match File::create_new(&hidden) {
                // One that a command of the same number left when it was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                file => return file.map(|file| (Self::Hidden(hidden), file)),
            }
        }
        unreachable!("names do not end")
    }
}

/// Makes a file without a name in the folder of `path`, where the system can do so and give it one later.
fn unnamed(path: &Path) -> Option<File> {
    if !Path::new(OPEN_FILES).is_dir() {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let everybody = Mode::from_raw_mode(0o666);
    rustix::fs::open(folder_of(path), flags, everybody)
        .ok()
        .map(File::from)
}

/// Where the system shows the open files of a process, by number.
const OPEN_FILES: &str = "/proc/self/fd";

/// Gives a file without a name a hidden one beside `path`.
fn link(file: &File, path: &Path) -> io::Result<PathBuf> {
    let open = format!("{OPEN_FILES}/{}", file.as_raw_fd());
    // Another command that failed may have taken the folder away, which seems empty.
    fs::create_dir_all(folder_of(path))?;
    for hidden in hidden_names(path) {
        match rustix::fs::linkat(CWD, &open, CWD, &hidden, AtFlags::SYMLINK_FOLLOW) {
            Err(rustix::io::Errno::EXIST) => {}
            linked => return Ok(linked.map(|()| hidden)?),
        }
    }
    unreachable!("names do not end")
}

/// Names beside `path` that other commands on the same file do not take.
fn hidden_names(path: &Path) -> impl Iterator<Item = PathBuf> {
    let process = process::id();
    (0_u64..).map(move |number| path.with_file_name(format!(".lanescope.{process}-{number}.part")))
}

/// The folder that a file lies in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn failure(path: &Path) -> String {
    let folder = folder_of(path);
    match folder.try_exists() {
        Ok(false) => format!(
            "cannot write {}, there is no folder {}",
            path.display(),
            folder.display()
        ),
        _ => format!("cannot write {}", path.display()),
    }
}

/// Folders that were not there: unless they are kept, they are removed.
pub(crate) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes a folder and those around it.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let around = folder.ancestors();
        let missing = around.take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let made = Self(missing.map(Path::to_owned).collect());
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(made)
    }

    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Not when something else lies in it.
            let _ = fs::remove_dir(folder);
        }
    }
}
