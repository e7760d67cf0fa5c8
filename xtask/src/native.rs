//! Compiles C and C++ shared objects for the host, again only when something changed.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The host's C++ compiler, as the `cc` crate finds it (`CXX` is respected).
#[derive(Debug)]
pub struct Compiler {
    path: PathBuf,
}

impl Compiler {
    /// Finds it.
    pub fn find() -> Result<Self> {
        let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let tool = cc::Build::new()
            .cpp(true)
            .target(&triple)
            .host(&triple)
            .opt_level(2)
            .cargo_metadata(false)
            .out_dir(std::env::temp_dir())
            .try_get_compiler()
            .context("no C++ compiler found: install g++, or set CXX")?;
        let compiler = Self {
            path: tool.path().to_owned(),
        };
        compiler
            .version()
            .context("no working C++ compiler: install g++, or set CXX")?;
        Ok(compiler)
    }

    /// What it calls itself.
    pub fn version(&self) -> Result<String> {
        workspace::first_line(Command::new(&self.path).arg("--version"))
    }

    /// Builds `object` from `sources`; `watched` are further files and folders it depends on.
    pub fn shared_object(
        &self,
        object: &Path,
        sources: &[PathBuf],
        watched: &[PathBuf],
        flags: &[String],
    ) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]);
        // A C++ driver takes `.c` for C++ unless told.
        let is_c = sources
            .iter()
            .all(|source| source.extension().is_some_and(|extension| extension == "c"));
        command
            .args(["-x", if is_c { "c" } else { "c++" }])
            .args(sources);
        command
            .args(["-x", "none"])
            .args(flags)
            .arg("-o")
            .arg(object);
        let line = workspace::line(&command);
        let stamp = object.with_extension("command");
        if is_current(object, sources, watched)
            && std::fs::read_to_string(&stamp).is_ok_and(|old| old == line)
        {
            return Ok(());
        }
        let parent = object.parent().context("an object has a folder")?;
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        let status = command.status().context("cannot start the C++ compiler")?;
        ensure!(status.success(), "{line} failed ({status})");
        std::fs::write(&stamp, line).with_context(|| format!("cannot write {}", stamp.display()))
    }
}

fn is_current(object: &Path, sources: &[PathBuf], watched: &[PathBuf]) -> bool {
    let Some(built) = modified(object) else {
        return false;
    };
    sources
        .iter()
        .chain(watched)
        .all(|path| newest(path).is_some_and(|time| time <= built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The latest change of a file, or of any file directly in a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        std::fs::read_dir(path)
            .ok()?
            .filter_map(|entry| modified(&entry.ok()?.path()))
            .max()
    } else {
        modified(path)
    }
}
