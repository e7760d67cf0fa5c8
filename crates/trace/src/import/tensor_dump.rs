//! `tensor_dump.json` and the payload beside it: tensors of tasks, and their bytes.

use super::draft::Draft;
use super::json::{self, Each, Keys, Object, Uint};
use super::rows::Dumped;
use crate::TraceError;
use lanescope_abi::TensorRecord;
use lanescope_abi::record::{Dtype, MAX_RANK, Role, Stage, TensorShape};
use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess};
use std::fs::File;
use std::io;
use std::path::Path;

/// The manifest's name in its folder.
pub(super) const FILE_NAME: &str = "tensor_dump.json";
/// The folder both files have in an output folder.
pub(super) const FOLDER_NAME: &str = "tensor_dump";
/// The payload's name, unless the manifest says another.
const PAYLOAD_FILE_NAME: &str = "tensor_dump.bin";

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut document = Document {
        draft,
        bin_file: PAYLOAD_FILE_NAME.to_owned(),
        has_tensors: false,
        payload_end: 0,
    };
    json::read(path, Object(&mut document))?;
    let Document {
        bin_file,
        payload_end,
        ..
    } = document;
    let payload = path.with_file_name(bin_file);
    let failed = |source| TraceError::Read {
        path: payload.clone(),
        source,
    };
    match File::open(&payload) {
        Ok(file) => {
            let bytes = file.metadata().map_err(failed)?.len();
            if bytes < payload_end {
                let text = format!("{bytes} bytes, expected {payload_end} as the manifest says");
                return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
            }
            draft.payload = Some(file);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            draft.note(
                draft.dumped.count(),
                "tensors whose payload file is not there",
            );
        }
        Err(error) => return Err(failed(error)),
    }
    if draft.platform.is_empty() {
        FOLDER_NAME.clone_into(&mut draft.platform);
    }
    Ok(())
}

struct Document<'a> {
    draft: &'a mut Draft,
    bin_file: String,
    has_tensors: bool,
    payload_end: u64,
}

#[derive(Deserialize)]
struct Entry {
    task_id: Uint,
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
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    overwritten: bool,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str = "an object with the key `tensors`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "bin_file" => {
                self.bin_file = map.next_value()?;
                // A manifest names a file beside it, nothing else.
                if Path::new(&self.bin_file).file_name() != Some(self.bin_file.as_ref()) {
                    let text = format!("`{}`, expected a plain file name", self.bin_file);
                    return Err(A::Error::custom(text));
                }
                Ok(())
            }
            "dropped_records" => {
                let dropped = map.next_value()?;
                self.draft.note(dropped, "tensors the device dropped");
                Ok(())
            }
            "tensors" => {
                self.has_tensors = true;
                let Self {
                    draft, payload_end, ..
                } = self;
                map.next_value_seed(Each::new("an array of tensors", |entry: Entry| {
                    let row = dumped(&entry)?;
                    if row.has_payload != 0 {
                        let end = entry.bin_offset.checked_add(entry.bin_size);
                        let end = end.ok_or("bin_offset and bin_size do not fit 64 bits")?;
                        *payload_end = end.max(*payload_end);
                    }
                    let pushed = draft.dumped.push(row);
                    draft.kept(pushed)
                }))
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }

    fn missing(&self) -> Option<String> {
        (!self.has_tensors).then(|| "missing field `tensors`".to_owned())
    }
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
    let mut strides = [0; MAX_RANK];
    let mut stride = 1_u32;
    for (place, &extent) in entry.raw_shape.iter().enumerate().rev() {
        strides[place] = stride;
        stride = stride.saturating_mul(extent);
    }
    if !entry.is_contiguous && rank == 1 {
        // Only a stride can make one dimension not lie in one piece; the file does not say which.
        strides[0] = 2;
    }
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
            task_id: entry.task_id.0,
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
                strides,
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
