//! The text of the manifest: key order, line breaks and number formats are part of the format.

use super::{PAYLOAD_FILE_NAME, Tensor};
use lanescope_trace::{Dtype, MAX_RANK, Role, Stage};
use std::io::{self, BufWriter, Write};

/// A tensor that has been written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    task_id: u64,
    subtask_id: u32,
    func_id: u32,
    arg_index: u32,
    role: Role,
    stage: Stage,
    dtype: Option<Dtype>,
    rank: usize,
    shape: [u32; MAX_RANK],
    raw_shape: [u32; MAX_RANK],
    offsets: [u32; MAX_RANK],
    begin: u64,
    bytes: u64,
    is_contiguous: bool,
    is_truncated: bool,
    is_overwritten: bool,
}

impl Entry {
    /// A tensor whose bytes stand at `begin` of the payload file.
    pub(super) fn of(tensor: &Tensor<'_>, begin: u64, bytes: u64) -> Self {
        Self {
            task_id: tensor.task_id,
            subtask_id: tensor.subtask_id,
            func_id: tensor.func_id,
            arg_index: tensor.arg_index,
            role: tensor.role,
            stage: tensor.stage,
            dtype: tensor.dtype,
            rank: tensor.shape.len().min(MAX_RANK),
            shape: dimensions(tensor.shape),
            raw_shape: dimensions(tensor.raw_shape),
            offsets: dimensions(tensor.offsets),
            begin: if bytes == 0 { 0 } else { begin },
            bytes,
            is_contiguous: tensor.is_contiguous,
            is_truncated: tensor.is_truncated,
            is_overwritten: tensor.is_overwritten,
        }
    }

    fn key(&self) -> (u64, u32, u32, Stage, u32, Role) {
        (
            self.task_id,
            self.subtask_id,
            self.func_id,
            self.stage,
            self.arg_index,
            self.role,
        )
    }

    fn element_count(&self) -> u64 {
        let shape = self.shape[..self.rank].iter();
        shape.fold(1_u64, |count, &extent| {
            count.saturating_mul(u64::from(extent))
        })
    }
}

fn dimensions(list: &[u32]) -> [u32; MAX_RANK] {
    let mut dimensions = [0; MAX_RANK];
    let rank = list.len().min(MAX_RANK);
    dimensions[..rank].copy_from_slice(&list[..rank]);
    dimensions
}

pub(super) fn overwritten(entries: &[Entry]) -> u64 {
    count(entries, |entry| entry.is_overwritten)
}

fn count(entries: &[Entry], is_one: impl Fn(&Entry) -> bool) -> u64 {
    entries.iter().filter(|entry| is_one(entry)).count() as u64
}

pub(super) fn encode(
    entries: &mut [Entry],
    dropped_records: u64,
    out: impl Write,
) -> io::Result<()> {
    entries.sort_by_key(Entry::key);
    let entries = &*entries;
    let mut out = BufWriter::with_capacity(256 << 10, out);
    out.write_all(
        b"{\n  \"run_dir\": \"tensor_dump\",\n  \"bin_format\": {\n    \"type\": \
          \"logical_contiguous\",\n    \"byte_order\": \"little_endian\"\n  },\n",
    )?;
    let counts = [
        ("total_tensors", entries.len() as u64),
        (
            "before_dispatch",
            count(entries, |entry| entry.stage == Stage::BeforeDispatch),
        ),
        (
            "after_completion",
            count(entries, |entry| entry.stage == Stage::AfterCompletion),
        ),
        (
            "input_tensors",
            count(entries, |entry| entry.role == Role::Input),
        ),
        (
            "output_tensors",
            count(entries, |entry| entry.role == Role::Output),
        ),
        (
            "inout_tensors",
            count(entries, |entry| entry.role == Role::Inout),
        ),
        (
            "truncated_tensors",
            count(entries, |entry| entry.is_truncated),
        ),
        ("dropped_records", dropped_records),
        ("dropped_overwrite", overwritten(entries)),
    ];
    for (key, value) in counts {
        writeln!(out, "  \"{key}\": {value},")?;
    }
    write!(
        out,
        "  \"bin_file\": \"{PAYLOAD_FILE_NAME}\",\n  \"tensors\": [\n"
    )?;
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            out.write_all(b",\n")?;
        }
        tensor(entry, &mut out)?;
    }
    out.write_all(b"\n  ]\n}\n")?;
    out.flush()
}

fn tensor(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "    {{\"task_id\": \"0x{:016x}\", \"subtask_id\": {}, \"func_id\": {}, \"role\": \"{}\", \
         \"stage\": \"{}\", \"arg_index\": {}, \"dtype\": \"{}\", \"is_contiguous\": {}, ",
        entry.task_id,
        entry.subtask_id,
        entry.func_id,
        entry.role.name(),
        entry.stage.name(),
        entry.arg_index,
        entry.dtype.map_or("UNKNOWN", Dtype::name),
        entry.is_contiguous,
    )?;
    let lists = [
        ("shape", &entry.shape),
        ("raw_shape", &entry.raw_shape),
        ("offsets", &entry.offsets),
    ];
    for (key, values) in lists {
        write!(out, "\"{key}\": [")?;
        for (dimension, value) in values[..entry.rank].iter().enumerate() {
            let separator = if dimension > 0 { ", " } else { "" };
            write!(out, "{separator}{value}")?;
        }
        out.write_all(b"], ")?;
    }
    write!(
        out,
        "\"numel\": {}, \"bin_offset\": {}, \"bin_size\": {}, \"truncated\": {}, \
         \"overwritten\": {}}}",
        entry.element_count(),
        entry.begin,
        entry.bytes,
        entry.is_truncated,
        entry.is_overwritten,
    )
}
