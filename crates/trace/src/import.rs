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
mod json;
mod l2_records;
mod name_map;
mod pmu_csv;
mod rows;
pub(crate) mod settings;
mod tensor_dump;
mod tensors;

use crate::{Trace, TraceError, capture, scratch};
pub use l2_records::FILE_NAME as RECORDS_FILE_NAME;

use draft::Draft;
use edges::WriteError;
use lanescope_capture::CaptureFile;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A file format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `l2_perf_records.json`, versions 1 and 2.
    L2Records,
    /// `chip_swimlane_records.json`.
    ChipSwimlane,
    /// Chrome trace JSON.
    Chrome,
    /// `deps.json`.
    Deps,
    /// `name_map_<label>.json`.
    NameMap,
    /// `pmu.csv`.
    PmuCsv,
    /// `tensor_dump.json`.
    TensorDump,
}

/// Bytes from the start of a file that tell its format.
const TELLING_BYTES: u64 = 64 << 10;

/// How what gzip packed begins.
const GZIP: &[u8] = &[0x1F, 0x8B];

impl Format {
    /// The format of a file by its content; `None` when it is none of these.
    ///
    /// Any JSON object that is no other is taken for [`Format::L2Records`], whose reader says what it misses.
    ///
    /// # Errors
    ///
    /// [`TraceError::Read`].
    pub fn of(path: &Path) -> Result<Option<Self>, TraceError> {
        let start = start_of(path)?;
        if start.starts_with(GZIP) {
            let path = path.to_owned();
            return Err(TraceError::Packed { path });
        }
        let text = String::from_utf8_lossy(&start);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with(pmu_csv::FIRST_COLUMNS) {
            return Ok(Some(Self::PmuCsv));
        }
        if text.starts_with('[') {
            return Ok(Some(Self::Chrome));
        }
        if !text.starts_with('{') {
            return Ok(None);
        }
        let telling = [
            ("\"traceEvents\"", Self::Chrome),
            ("\"otherData\"", Self::Chrome),
            ("\"aicore_tasks\"", Self::ChipSwimlane),
            ("\"chip_swimlane_level\"", Self::ChipSwimlane),
            ("\"l2_swimlane_level\"", Self::ChipSwimlane),
            ("\"bin_format\"", Self::TensorDump),
            ("\"callable_id_to_name\"", Self::NameMap),
            ("\"orchestrator_name\"", Self::NameMap),
            ("\"kernel_ids\"", Self::Deps),
            ("\"edges\"", Self::Deps),
        ];
        let found = telling.iter().find(|(key, _)| text.contains(key));
        Ok(Some(found.map_or(Self::L2Records, |&(_, format)| format)))
    }

    /// Whether it says when tasks ran, or what they counted: more than a companion of another file.
    #[must_use]
    pub const fn is_run(self) -> bool {
        !matches!(self, Self::Deps | Self::NameMap)
    }
}

fn start_of(path: &Path) -> Result<Vec<u8>, TraceError> {
    let failed = |source| TraceError::Read {
        path: path.to_owned(),
        source,
    };
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(TELLING_BYTES)
        .read_to_end(&mut start)
        .map_err(failed)?;
    Ok(start)
}

/// The files of one run that lie in a folder as the reference runtime names them, its records first.
#[must_use]
pub fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let mut names = vec![PathBuf::from(l2_records::FILE_NAME)];
    names.extend(chip_swimlane::FILE_NAMES.map(PathBuf::from));
    let records = names.iter().find(|name| folder.join(name).is_file());
    let mut found: Vec<PathBuf> = records.cloned().into_iter().collect();
    found.push(pmu_csv::FILE_NAME.into());
    let dumps = [
        tensor_dump::FILE_NAME.into(),
        Path::new(tensor_dump::FOLDER_NAME).join(tensor_dump::FILE_NAME),
    ];
    found.extend(dumps.into_iter().find(|name| folder.join(name).is_file()));
    found.push(deps::FILE_NAME.into());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut maps: Vec<PathBuf> = entries.map(|entry| entry.file_name().into()).collect();
    maps.retain(|name: &PathBuf| {
        let name = name.to_string_lossy();
        name.starts_with("name_map") && name.ends_with(".json")
    });
    maps.sort();
    found.extend(maps);
    let files = found.into_iter().map(|name| folder.join(name));
    files.filter(|file| file.is_file()).collect()
}

/// The file and those beside it that belong to it: to rows of ticks their graph.
pub(crate) fn with_companions(path: &Path, format: Format) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    let deps = path.with_file_name(deps::FILE_NAME);
    if format == Format::ChipSwimlane && deps.is_file() {
        files.push(deps);
    }
    files
}

/// Reads files of one run and writes it as a capture; scratch files lie in `scratch`.
///
/// # Errors
///
/// As in the module's text.
pub fn write_capture(files: &[PathBuf], scratch: &Path, out: impl Write) -> Result<(), TraceError> {
    let mut draft = Draft::new(scratch);
    let mut formats: Vec<(Format, &PathBuf)> = Vec::new();
    for path in files {
        let format = Format::of(path)?;
        let format = format.ok_or_else(|| TraceError::UnknownFormat { path: path.clone() })?;
        formats.push((format, path));
    }
    // Times first: who comes later asks for the chip.
    formats.sort_by_key(|&(format, _)| format);
    if let [.., (first, _), (second, path)] = formats
        .iter()
        .filter(|(format, _)| *format <= Format::Chrome)
        .collect::<Vec<_>>()[..]
    {
        let (path, first, second) = ((*path).clone(), *first, *second);
        return Err(TraceError::TwoTimelines {
            path,
            first,
            second,
        });
    }
    // Nothing would tell the rows of one from those of the other.
    if let Some(pair) = formats.windows(2).find(|pair| {
        let is_single = matches!(pair[0].0, Format::PmuCsv | Format::TensorDump);
        is_single && pair[0].0 == pair[1].0
    }) {
        let (format, path) = (pair[1].0, pair[1].1.clone());
        return Err(TraceError::Second { path, format });
    }
    if !formats.iter().any(|(format, _)| format.is_run()) {
        let path = files.first().cloned().unwrap_or_default();
        return Err(TraceError::OnlyCompanions { path });
    }
    for (format, path) in formats {
        let read = match format {
            Format::L2Records => l2_records::read(path, &mut draft),
            Format::ChipSwimlane => chip_swimlane::read(path, &mut draft),
            Format::Chrome => chrome::read(path, scratch, &mut draft),
            Format::Deps => deps::read(path, &mut draft),
            Format::NameMap => name_map::read(path, &mut draft),
            Format::PmuCsv => pmu_csv::read(path, &mut draft),
            Format::TensorDump => tensor_dump::read(path, &mut draft),
        };
        if let Some(source) = draft.failed.take() {
            return Err(scratch_failed(scratch, source));
        }
        read?;
    }
    finish::write(draft, scratch, out).map_err(|error| match error {
        WriteError::Scratch(source) => scratch_failed(scratch, source),
        WriteError::Capture(source) => TraceError::Capture {
            path: files.first().cloned().unwrap_or_default(),
            source,
        },
        WriteError::TooMany(what, count, limit) => TraceError::TooMany { what, count, limit },
    })
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
    let folder = std::env::temp_dir();
    let failed = |source| scratch_failed(&folder, source);
    let file = scratch::unnamed(&folder).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write_capture(files, &folder, &mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    let path = files.first().cloned().unwrap_or_default();
    let opened = CaptureFile::of(file, &path).map_err(|source| TraceError::Capture {
        path: path.clone(),
        source,
    })?;
    let mut runs = capture::read_file(opened)?;
    Ok(runs.pop().expect("a capture that was read has a run"))
}
