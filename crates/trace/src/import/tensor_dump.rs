//! `tensor_dump.json` and the payload beside it: tensors of tasks, and their bytes.

use super::draft::Draft;
use super::input::Input;
use super::json::{self, Seen, Source};
use super::rows::Dumped;
use crate::TraceError;
use crate::json::Members;
use crate::tensor::{is_contiguous, rows_of};
use lanescope_abi::TensorRecord;
use lanescope_abi::record::{Dtype, MAX_RANK, Role, Stage, TensorShape};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The manifest's name in its folder.
pub(super) const FILE_NAME: &str = "tensor_dump.json";
/// The folder both files have in an output folder.
pub(super) const FOLDER_NAME: &str = "tensor_dump";
/// The payload's name, unless the manifest says another.
const PAYLOAD_FILE_NAME: &str = "tensor_dump.bin";

const KEYS: [&str; 3] = ["bin_file", "dropped_records", "tensors"];

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let mut reader = json::open(input)?;
    let mut seen = Seen::default();
    let mut bin_file = PAYLOAD_FILE_NAME.to_owned();
    let (mut payload_end, mut payload_bytes) = (0_u64, 0_u64);
    let mut members = Members::default();
    json::begin(&mut reader, "an object with the key `tensors`")?;
    while let Some(member) = reader.member(&KEYS, &mut members)? {
        if member < KEYS.len() {
            seen.once(&reader, &KEYS, member)?;
        }
        match member {
            0 => bin_file = file_name(&mut reader)?,
            1 => {
                let dropped = reader.integer_of("an integer of 64 bits")?;
                draft.dropped_tensors = dropped;
                draft.note(dropped, "[tensor|tensors] the device dropped");
            }
            2 => json::each(&mut reader, "an array of tensors", |reader| {
                let entry = Entry::read(reader)?;
                let row = dumped(&entry).map_err(|text| reader.error(text))?;
                if row.has_payload != 0 {
                    let end = entry.bin_offset.checked_add(entry.bin_size);
                    let end = end.ok_or_else(|| {
                        reader.error("bin_offset and bin_size do not fit 64 bits")
                    })?;
                    payload_end = end.max(payload_end);
                    payload_bytes = payload_bytes.saturating_add(entry.bin_size);
                }
                let pushed = draft.dumped.push(row);
                draft.kept(pushed).map_err(|text| reader.error(text))
            })?,
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    seen.need(&reader, &KEYS, &[2])?;
    let payload = input.path().with_file_name(bin_file);
    let failed = |source| TraceError::Read {
        path: payload.clone(),
        source,
    };
    match File::open(&payload) {
        Ok(file) => {
            let data = file.metadata().map_err(failed)?;
            if !data.is_file() {
                return Err(failed(io::Error::other("it is no file")));
            }
            let bytes = data.len();
            if bytes < payload_end {
                let text = format!("{bytes} bytes, expected {payload_end} as the manifest says");
                return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
            }
            // Each tensor has its own: a few bytes must not become many.
            if bytes < payload_bytes {
                let text = format!("{bytes} bytes, of which the manifest names some twice");
                return Err(failed(io::Error::other(text)));
            }
            draft.payload = Some(file);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            draft.note(
                draft.dumped.count(),
                "[tensor|tensors] whose payload file is not there",
            );
        }
        Err(error) => return Err(failed(error)),
    }
    if draft.platform.is_empty() {
        FOLDER_NAME.clone_into(&mut draft.platform);
    }
    Ok(())
}

/// Where the bytes are that a manifest tells of.
pub(super) fn payload_of(input: &Input) -> Result<PathBuf, TraceError> {
    let mut reader = json::open(input)?;
    let mut members = Members::default();
    json::begin(&mut reader, "an object with the key `tensors`")?;
    while let Some(member) = reader.member(&["bin_file"], &mut members)? {
        match member {
            0 => return Ok(input.path().with_file_name(file_name(&mut reader)?)),
            _ => reader.skip()?,
        }
    }
    Ok(input.path().with_file_name(PAYLOAD_FILE_NAME))
}

/// The payload's name: a manifest names a file beside it, nothing else.
fn file_name(reader: &mut Source) -> Result<String, TraceError> {
    let name = reader.text("the payload's name")?;
    if Path::new(&name).file_name() != Some(name.as_ref()) {
        return Err(reader.error(format!("`{name}`, expected a plain file name")));
    }
    Ok(name)
}

#[derive(Default)]
struct Entry {
    task_id: u64,
    subtask_id: u16,
    func_id: u32,
    role: String,
    stage: String,
    arg_index: u16,
    dtype: String,
    is_contiguous: bool,
    shape: Vec<u32>,
    raw_shape: Vec<u32>,
    offsets: Vec<u32>,
    bin_offset: u64,
    bin_size: u64,
    truncated: bool,
    overwritten: bool,
}

/// The last two need not be there.
const ENTRY: [&str; 15] = [
    "task_id",
    "subtask_id",
    "func_id",
    "role",
    "stage",
    "arg_index",
    "dtype",
    "is_contiguous",
    "shape",
    "raw_shape",
    "offsets",
    "bin_offset",
    "bin_size",
    "truncated",
    "overwritten",
];

impl Entry {
    fn read(reader: &mut Source) -> Result<Self, TraceError> {
        let mut entry = Self::default();
        let mut seen = 0_u16;
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&ENTRY, &mut members)? {
            match member {
                0 => entry.task_id = json::uint(reader, "a task id as 0x and digits")?,
                1 => entry.subtask_id = reader.integer_of("a subtask, 0 to 65535")?,
                2 => entry.func_id = reader.integer_of("a function id, an integer of 32 bits")?,
                3 => entry.role = reader.text("a role")?,
                4 => entry.stage = reader.text("a stage")?,
                5 => entry.arg_index = reader.integer_of("an argument, 0 to 65535")?,
                6 => entry.dtype = reader.text("a dtype")?,
                7 => entry.is_contiguous = reader.boolean()?,
                8 => entry.shape = extents(reader)?,
                9 => entry.raw_shape = extents(reader)?,
                10 => entry.offsets = extents(reader)?,
                11 => entry.bin_offset = reader.integer_of("an integer of 64 bits")?,
                12 => entry.bin_size = reader.integer_of("an integer of 64 bits")?,
                13 => entry.truncated = reader.boolean()?,
                14 => entry.overwritten = reader.boolean()?,
                _ => {
                    reader.skip()?;
                    continue;
                }
            }
            seen |= 1 << member;
        }
        let missing = (0..ENTRY.len() - 2).find(|member| seen & (1 << member) == 0);
        match missing {
            Some(member) => {
                let name = ENTRY[member];
                Err(reader.error(format!("a tensor ends without `{name}`")))
            }
            None => Ok(entry),
        }
    }
}

/// More than a rank are told by their number, which is refused.
fn extents(reader: &mut Source) -> Result<Vec<u32>, TraceError> {
    let mut list = Vec::new();
    let expected = "an integer of 32 bits for each dimension";
    json::each(reader, expected, |reader| {
        if list.len() > MAX_RANK {
            return Err(reader.error(format!("more than {MAX_RANK} dimensions")));
        }
        list.push(reader.integer_of(expected)?);
        Ok(())
    })?;
    Ok(list)
}

fn named<T: Copy>(
    kind: &str,
    name: &str,
    all: &[T],
    spelled: fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.iter().copied().find(|&one| spelled(one) == name);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|&one| spelled(one)).collect();
        format!("{kind} `{name}`, expected {}", names.join(", "))
    })
}

/// Strides with which the tensor lies in one piece or not, as the manifest says; it does not tell them.
fn strides_of(entry: &Entry) -> [u32; MAX_RANK] {
    let by_rows = rows_of(&entry.raw_shape);
    let apart = by_rows.map(|stride| stride.saturating_mul(2));
    let rank = entry.shape.len();
    let mut possible = [by_rows, rows_of(&entry.shape), apart].into_iter();
    let fitting = possible.find(|strides| {
        is_contiguous(&entry.shape, &entry.raw_shape, &strides[..rank]) == entry.is_contiguous
    });
    // One element lies in one piece whatever a manifest says.
    fitting.unwrap_or(by_rows)
}

fn dumped(entry: &Entry) -> Result<Dumped, String> {
    let rank = entry.shape.len();
    if rank > MAX_RANK || entry.raw_shape.len() != rank || entry.offsets.len() != rank {
        return Err(format!(
            "shape, raw_shape and offsets of {rank}, {} and {} dimensions, expected the same number, at \
             most {MAX_RANK}",
            entry.raw_shape.len(),
            entry.offsets.len()
        ));
    }
    let dtype = match entry.dtype.as_str() {
        "UNKNOWN" => None,
        name => Some(named("dtype", name, &Dtype::ALL, Dtype::name)?),
    };
    let element_bytes = dtype.map(|dtype| u64::from(dtype.bytes()));
    let mut whole = element_bytes;
    for &extent in &entry.shape {
        whole = whole.and_then(|bytes| bytes.checked_mul(u64::from(extent)));
    }
    let tensor_bytes = match (dtype, whole) {
        (None, _) => entry.bin_size,
        (Some(_), Some(bytes)) => bytes,
        (Some(_), None) => return Err("a shape of more than 2^64 bytes".to_owned()),
    };
    let is_whole = entry.bin_size == tensor_bytes;
    let is_missing = entry.overwritten || (entry.bin_size == 0 && tensor_bytes > 0);
    if !is_whole && !is_missing && (!entry.truncated || entry.bin_size > tensor_bytes) {
        return Err(format!(
            "bin_size {}, expected {tensor_bytes} for the shape and dtype",
            entry.bin_size
        ));
    }
    let dimensions = |list: &[u32]| {
        let mut dimensions = [0; MAX_RANK];
        dimensions[..rank].copy_from_slice(list);
        dimensions
    };
    let stage = named("stage", &entry.stage, &Stage::ALL, Stage::name)?;
    let role = named("role", &entry.role, &Role::ALL, Role::name)?;
    let kept = if is_missing && !entry.truncated {
        tensor_bytes
    } else {
        entry.bin_size
    };
    Ok(Dumped {
        begin: entry.bin_offset,
        has_payload: u64::from(!is_missing),
        record: TensorRecord {
            task_id: entry.task_id,
            func_id: entry.func_id,
            core: entry.subtask_id.min(2),
            tensor: TensorShape {
                arg_index: entry.arg_index,
                role: role as u8,
                dtype: dtype.map_or(u8::MAX, |dtype| dtype as u8),
                rank: u8::try_from(rank).expect("at most 5"),
                shape: dimensions(&entry.shape),
                raw_shape: dimensions(&entry.raw_shape),
                offsets: dimensions(&entry.offsets),
                strides: strides_of(entry),
                ..TensorShape::default()
            },
            stage: stage as u8,
            is_truncated: u8::from(entry.truncated),
            payload_bytes: kept,
            tensor_bytes,
            ..TensorRecord::default()
        },
    })
}
