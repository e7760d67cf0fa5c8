//! Other tools' files as captures: recognised by their content, read row by row, joined into one run.
//!
//! # Where it sits
//!
//! One file per format reads rows into a [`Draft`], which sorts what must be sorted in a scratch file and
//! writes a capture. What opens such a file directly writes that capture into a file without a name and
//! reads it like any other: there is one path, and memory does not grow with the source.
//!
//! # What can be lost
//!
//! What a capture has no place for is counted in [`crate::Trace::notes`]. A run that was imported has no
//! verdict, since nothing says what its device counted.
//!
//! # Errors
//!
//! [`TraceError::Malformed`] with file, line, column and what was expected; [`TraceError::Scratch`] when the
//! scratch file takes no more; nothing is kept of a source that is refused.

mod chip_swimlane;
mod chrome;
mod cores;
mod deps;
mod draft;
mod edges;
mod finish;
mod format;
pub(crate) mod input;
mod json;
mod l2_records;
mod name_map;
mod pmu_csv;
mod rows;
pub(crate) mod settings;
mod tensor_dump;
mod tensors;

use crate::{Trace, TraceError, capture, scratch};
pub use format::Format;
pub use l2_records::FILE_NAME as RECORDS_FILE_NAME;

use draft::Draft;
use edges::WriteError;
use input::Input;
use lanescope_capture::CAPTURE_FILE_NAME;
use lanescope_capture::format::FILE_MAGIC;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// The files of one run that lie in a folder as the reference runtime names them, its records first; where there
/// are none, the Chrome traces in it.
#[must_use]
pub fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(l2_records::FILE_NAME)];
    found.extend(chip_swimlane::FILE_NAMES.map(PathBuf::from));
    found.push(pmu_csv::FILE_NAME.into());
    let dumps = [
        tensor_dump::FILE_NAME.into(),
        Path::new(tensor_dump::FOLDER_NAME).join(tensor_dump::FILE_NAME),
    ];
    found.extend(dumps.into_iter().find(|name| folder.join(name).is_file()));
    let is_there = |name: &PathBuf| folder.join(name).is_file();
    found.retain(is_there);
    let names = names_of_json(folder);
    if found.is_empty() {
        found = chrome_traces(folder, &names);
    }
    if !found.is_empty() {
        found.push(deps::FILE_NAME.into());
    }
    let maps = names.into_iter().filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("name_map")
    });
    found.extend(maps);
    found.retain(is_there);
    found.into_iter().map(|name| folder.join(name)).collect()
}

fn names_of_json(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.file_name().into()).collect();
    names.retain(|name| name.to_string_lossy().ends_with(".json") && folder.join(name).is_file());
    names.sort();
    names
}

/// The reference's own trace, else any other.
fn chrome_traces(folder: &Path, names: &[PathBuf]) -> Vec<PathBuf> {
    let mut names = names.to_vec();
    names.retain(|name| matches!(Format::of(&folder.join(name)), Ok(Some(Format::Chrome))));
    let own = Path::new(chrome::MERGED_FILE_NAME);
    match names.iter().any(|name| name == own) {
        true => vec![own.to_owned()],
        false => names,
    }
}

/// What a path stands for: a file for itself, a folder for the files of a run in it.
///
/// # Errors
///
/// [`TraceError::NothingToRead`] for a folder without any, and [`TraceError::IsCapture`] where it has a capture.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>, TraceError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files = in_folder(path);
    if !files.is_empty() {
        return Ok(files);
    }
    let path = path.to_owned();
    match path.join(CAPTURE_FILE_NAME).exists() {
        true => Err(TraceError::IsCapture { path }),
        false => Err(TraceError::NothingToRead { path }),
    }
}

/// The file that a manifest of tensors says their bytes are in; nothing for any other file.
///
/// # Errors
///
/// As in the module's text.
pub fn payload_of(path: &Path) -> Result<Option<PathBuf>, TraceError> {
    let input = Input::of(path)?;
    match Format::of_input(&input)? {
        Some(Format::TensorDump) => tensor_dump::payload_of(&input).map(Some),
        _ => Ok(None),
    }
}

/// Reads files of one run and writes it as a capture; scratch files lie in `scratch`.
///
/// # Errors
///
/// As in the module's text.
pub fn write_capture(files: &[PathBuf], scratch: &Path, out: impl Write) -> Result<(), TraceError> {
    let inputs: Result<Vec<Input>, _> = files.iter().map(|path| Input::of(path)).collect();
    write_inputs(inputs?, scratch, out)
}

fn write_inputs(inputs: Vec<Input>, scratch: &Path, out: impl Write) -> Result<(), TraceError> {
    let mut draft = Draft::new(scratch);
    let first = inputs.first().map(|input| input.path().to_owned());
    let first = first.unwrap_or_default();
    let mut formats: Vec<(Format, Input)> = Vec::new();
    for input in inputs {
        match Format::of_input(&input)? {
            Some(format) => formats.push((format, input)),
            None => return Err(unknown(&input)),
        }
    }
    add_companion(&mut formats)?;
    // Times first: who comes later asks for the chip.
    formats.sort_by_key(|&(format, _)| format);
    for pair in formats.windows(2) {
        let [(other_format, first), (format, second)] = pair else {
            unreachable!("windows of two");
        };
        let (path, other) = (second.path().to_owned(), first.path().to_owned());
        if *format <= Format::Chrome {
            return Err(TraceError::TwoTimelines {
                path,
                format: *format,
                other,
                other_format: *other_format,
            });
        }
        // Nothing would tell the rows of one from those of the other.
        if matches!(format, Format::PmuCsv | Format::TensorDump) && format == other_format {
            let format = *format;
            return Err(TraceError::Second {
                path,
                other,
                format,
            });
        }
    }
    if !formats.iter().any(|(format, _)| format.is_run()) {
        return Err(TraceError::OnlyCompanions { path: first });
    }
    for (format, input) in &formats {
        let read = match format {
            Format::L2Records => l2_records::read(input, &mut draft),
            Format::ChipSwimlane => chip_swimlane::read(input, &mut draft),
            Format::Chrome => chrome::read(input, scratch, &mut draft),
            Format::Deps => deps::read(input, &mut draft),
            Format::NameMap => name_map::read(input, &mut draft),
            Format::PmuCsv => pmu_csv::read(input, &mut draft),
            Format::TensorDump => tensor_dump::read(input, &mut draft),
        };
        if let Some(source) = draft.failed.take() {
            return Err(scratch_failed(scratch, source));
        }
        read?;
    }
    finish::write(draft, scratch, out).map_err(|error| match error {
        WriteError::Scratch(source) => scratch_failed(scratch, source),
        WriteError::Capture(source) => TraceError::Output { source },
        WriteError::TooMany(what, count, limit) => TraceError::TooMany { what, count, limit },
    })
}

fn unknown(input: &Input) -> TraceError {
    let path = input.path().to_owned();
    let mut magic = [0; size_of_val(&FILE_MAGIC)];
    let read = input.open().map(|mut file| file.read_exact(&mut magic));
    match read.is_ok() && u64::from_le_bytes(magic) == FILE_MAGIC {
        true => TraceError::IsCapture { path },
        false => TraceError::UnknownFormat { path },
    }
}

/// Adds the graph that lies beside rows of ticks, unless one is given.
fn add_companion(formats: &mut Vec<(Format, Input)>) -> Result<(), TraceError> {
    let of = |wanted| formats.iter().find(|&&(format, _)| format == wanted);
    let Some((_, rows)) = of(Format::ChipSwimlane).filter(|_| of(Format::Deps).is_none()) else {
        return Ok(());
    };
    let path = rows.path().with_file_name(deps::FILE_NAME);
    if path.is_file() {
        formats.push((Format::Deps, Input::of(&path)?));
    }
    Ok(())
}

fn scratch_failed(folder: &Path, source: std::io::Error) -> TraceError {
    TraceError::Scratch {
        folder: folder.to_owned(),
        source,
    }
}

/// Reads files of one run into a trace, through a capture without a name in the system's temporary folder.
///
/// # Errors
///
/// As in the module's text.
pub fn read(files: &[PathBuf]) -> Result<Trace, TraceError> {
    let inputs: Result<Vec<Input>, _> = files.iter().map(|path| Input::of(path)).collect();
    read_inputs(inputs?)
}

pub(crate) fn read_inputs(inputs: Vec<Input>) -> Result<Trace, TraceError> {
    let folder = std::env::temp_dir();
    let failed = |source| scratch_failed(&folder, source);
    let file = scratch::unnamed(&folder).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let path = inputs.first().map(|input| input.path().to_owned());
    let path = path.unwrap_or_default();
    write_inputs(inputs, &folder, &mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    let mut runs = capture::read_file(capture::open(file, &path)?)?;
    Ok(runs.pop().expect("a capture that was read has a run"))
}
