//! What a file is, by its content: the keys of its object tell it, in whatever order they come.

use super::input::Input;
use super::json::Source;
use super::{chip_swimlane, deps, l2_records, pmu_csv, tensor_dump};
use crate::TraceError;
use crate::json::{Kind, Members, Reader};
use std::fmt;
use std::io::Read;
use std::path::Path;

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

/// Bytes from the start of a file that tell whether it is text, and which.
const TELLING_BYTES: u64 = 4 << 10;
/// How what gzip packed begins.
const GZIP: &[u8] = &[0x1F, 0x8B];

/// Keys that only files of one format have.
const TELLING: [(&str, Format); 9] = [
    ("traceEvents", Format::Chrome),
    ("aicore_tasks", Format::ChipSwimlane),
    ("chip_swimlane_level", Format::ChipSwimlane),
    ("l2_swimlane_level", Format::ChipSwimlane),
    ("bin_format", Format::TensorDump),
    ("bin_file", Format::TensorDump),
    ("tensors", Format::TensorDump),
    ("callable_id_to_name", Format::NameMap),
    ("edges", Format::Deps),
];
/// Keys that tell it of a file which has none of those.
const HINTING: [(&str, Format); 2] = [
    ("orchestrator_name", Format::NameMap),
    ("otherData", Format::Chrome),
];
/// The key of records and of graphs alike, whose rows tell one from the other.
const TASKS: &str = "tasks";
const TASK_KEYS: [(&str, Format); 5] = [
    ("kernel_ids", Format::Deps),
    ("func_id", Format::L2Records),
    ("core_id", Format::L2Records),
    ("core_type", Format::L2Records),
    ("start_time_us", Format::L2Records),
];

impl Format {
    /// The format of a file by its content; `None` when it is none of these. A pipe is read to its end.
    ///
    /// Any array is taken for a Chrome trace, and any JSON object that is no other for [`Format::L2Records`]: their
    /// readers say what they miss.
    ///
    /// # Errors
    ///
    /// [`TraceError::Read`], and [`TraceError::Packed`].
    pub fn of(path: &Path) -> Result<Option<Self>, TraceError> {
        Self::of_input(&Input::of(path)?)
    }

    pub(crate) fn of_input(input: &Input) -> Result<Option<Self>, TraceError> {
        let start = start_of(input)?;
        if start.starts_with(GZIP) {
            let path = input.path().to_owned();
            return Err(TraceError::Packed { path });
        }
        let text = String::from_utf8_lossy(&start);
        let text = text.trim_start_matches('\u{feff}');
        if text.starts_with(pmu_csv::FIRST_COLUMNS) {
            return Ok(Some(Self::PmuCsv));
        }
        let mut reader = Reader::new(input.open()?, input.path());
        match reader.kind()? {
            Kind::Array => Ok(Some(Self::Chrome)),
            Kind::Object => match of_object(&mut reader) {
                // Its reader says what is wrong with it.
                Err(TraceError::Malformed { .. }) => Ok(Some(Self::L2Records)),
                told => told.map(Some),
            },
            _ => Ok(None),
        }
    }

    /// Whether it says when tasks ran, or what they counted: more than a companion of another file.
    #[must_use]
    pub const fn is_run(self) -> bool {
        !matches!(self, Self::Deps | Self::NameMap)
    }
}

/// The name of a file of this format, where it has one.
impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::L2Records => l2_records::FILE_NAME,
            Self::ChipSwimlane => chip_swimlane::FILE_NAMES[0],
            Self::Chrome => "Chrome trace JSON",
            Self::Deps => deps::FILE_NAME,
            Self::NameMap => "name map",
            Self::PmuCsv => pmu_csv::FILE_NAME,
            Self::TensorDump => tensor_dump::FILE_NAME,
        })
    }
}

fn start_of(input: &Input) -> Result<Vec<u8>, TraceError> {
    let mut start = Vec::new();
    let mut file = input.open()?.take(TELLING_BYTES);
    file.read_to_end(&mut start)
        .map_err(|source| TraceError::Read {
            path: input.path().to_owned(),
            source,
        })?;
    Ok(start)
}

/// Reads members until one tells.
fn of_object(reader: &mut Source) -> Result<Format, TraceError> {
    let known = TELLING.iter().chain(&HINTING).map(|&(key, _)| key);
    let keys: Vec<&str> = known.chain([TASKS]).collect();
    let mut hinted = None;
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&keys, &mut members)? {
        if let Some(&(_, format)) = TELLING.get(member) {
            return Ok(format);
        }
        let hint = HINTING.get(member.wrapping_sub(TELLING.len()));
        hinted = hint.map(|&(_, format)| format).or(hinted);
        let is_tasks = keys.get(member) == Some(&TASKS) && reader.kind()? == Kind::Array;
        match is_tasks {
            true => {
                if let Some(format) = of_tasks(reader)? {
                    return Ok(format);
                }
            }
            false => reader.skip()?,
        }
    }
    Ok(hinted.unwrap_or(Format::L2Records))
}

/// What the first row that has a telling key says; the array is behind when none has.
fn of_tasks(reader: &mut Source) -> Result<Option<Format>, TraceError> {
    let keys = TASK_KEYS.map(|(key, _)| key);
    let mut rows = Members::default();
    reader.begin_array()?;
    while reader.element(&mut rows)? {
        if reader.kind()? != Kind::Object {
            reader.skip()?;
            continue;
        }
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&keys, &mut members)? {
            if let Some(&(_, format)) = TASK_KEYS.get(member) {
                return Ok(Some(format));
            }
            reader.skip()?;
        }
    }
    Ok(None)
}
