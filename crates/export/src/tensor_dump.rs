//! A folder `tensor_dump`: manifest and payload, byte for byte as the reference runtime's collector
//! writes them.
//!
//! # Where it sits
//!
//! [`write()`] takes a trace. [`Writer`] is the layer below: it takes tensors one by one, in the order of
//! collection, appends their bytes to the payload, and writes the manifest at the end.
//!
//! # What can be lost
//!
//! The manifest has no core, token, run, time or strides. A tensor whose bytes were overwritten before
//! the host had copied them, or do not have the checksum the device computed, has an entry without
//! bytes: `overwritten` is true, and `dropped_overwrite` counts it.
//!
//! # Errors
//!
//! [`ExportError::Write`]; [`ExportError::NoTensors`] for a trace without tensors, since the reference
//! writes no manifest then.

mod manifest;

use crate::ExportError;
use lanescope_trace::{CoreType, Dtype, Role, Stage, TensorRow, Trace};
use manifest::Entry;
use std::io::{self, Write};

/// The name of the folder in an output folder.
pub const FOLDER_NAME: &str = "tensor_dump";
/// The name of the payload file in it.
pub const PAYLOAD_FILE_NAME: &str = "tensor_dump.bin";
/// The name of the manifest in it.
pub const MANIFEST_FILE_NAME: &str = "tensor_dump.json";

/// A tensor as the reference's collector has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor<'a> {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// Which of the cores of a cluster: 0 cube, 1 and 2 vector.
    pub subtask_id: u32,
    /// The function the task runs.
    pub func_id: u32,
    /// What the task does with it.
    pub role: Role,
    /// Before or after its task ran.
    pub stage: Stage,
    /// Position among the task's arguments.
    pub arg_index: u32,
    /// Element type; `None` is written `UNKNOWN`.
    pub dtype: Option<Dtype>,
    /// Whether its bytes lay in one piece.
    pub is_contiguous: bool,
    /// Elements in each dimension.
    pub shape: &'a [u32],
    /// Elements of the larger tensor in each dimension.
    pub raw_shape: &'a [u32],
    /// Where the window begins in each dimension.
    pub offsets: &'a [u32],
    /// Whether not all of it was kept.
    pub is_truncated: bool,
    /// Whether its bytes were overwritten before the host had them.
    pub is_overwritten: bool,
}

/// Writes one dump; [`Writer::finish`] writes the manifest.
#[derive(Debug)]
pub struct Writer<W> {
    payload: W,
    payload_bytes: u64,
    entries: Vec<Entry>,
}

impl<W: Write> Writer<W> {
    /// A dump whose payload goes to `payload`.
    pub const fn new(payload: W) -> Self {
        Self {
            payload,
            payload_bytes: 0,
            entries: Vec::new(),
        }
    }

    /// Appends a tensor: `pieces` are its bytes in order.
    ///
    /// # Errors
    ///
    /// [`ExportError::Write`].
    pub fn add(&mut self, tensor: &Tensor<'_>, pieces: &[&[u8]]) -> Result<(), ExportError> {
        let begin = self.payload_bytes;
        for piece in pieces {
            self.payload.write_all(piece).map_err(failed)?;
            self.payload_bytes += piece.len() as u64;
        }
        let bytes = self.payload_bytes - begin;
        self.entries.push(Entry::of(tensor, begin, bytes));
        Ok(())
    }

    /// Writes the manifest; `dropped_records` were counted by the device and have no entry.
    ///
    /// # Errors
    ///
    /// [`ExportError::Write`], and [`ExportError::NoTensors`] without any tensor.
    pub fn finish(
        mut self,
        dropped_records: u64,
        manifest: impl Write,
    ) -> Result<Written, ExportError> {
        if self.entries.is_empty() {
            return Err(ExportError::NoTensors);
        }
        self.payload.flush().map_err(failed)?;
        let written = Written {
            tensors: self.entries.len() as u64,
            payload_bytes: self.payload_bytes,
            overwritten: manifest::overwritten(&self.entries),
        };
        manifest::encode(&mut self.entries, dropped_records, manifest).map_err(failed)?;
        Ok(written)
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Tensors with an entry.
    pub tensors: u64,
    /// Bytes of the payload file.
    pub payload_bytes: u64,
    /// Tensors without bytes since they were overwritten.
    pub overwritten: u64,
}

/// Writes the tensors of a trace: those of thread 0, then those of thread 1, and so on.
///
/// # Errors
///
/// As in the module's text.
pub fn write(
    trace: &Trace,
    payload: impl Write,
    manifest: impl Write,
) -> Result<Written, ExportError> {
    let mut writer = Writer::new(payload);
    for row in trace.tensors() {
        let bytes = trace.payload(&row);
        let mut tensor = tensor_of(trace, &row);
        tensor.is_overwritten = bytes.is_none();
        let bytes = bytes.unwrap_or_default();
        writer.add(&tensor, bytes.pieces())?;
    }
    writer.finish(trace.dropped_tensors(), manifest)
}

/// A row as the reference's collector would have it, its bytes taken for whole.
#[must_use]
pub fn tensor_of<'a>(trace: &Trace, row: &'a TensorRow) -> Tensor<'a> {
    Tensor {
        task_id: row.task_id,
        subtask_id: subtask_id(trace, row),
        func_id: row.func_id,
        role: row.role,
        stage: row.stage,
        arg_index: u32::from(row.arg_index),
        dtype: row.dtype,
        is_contiguous: row.is_contiguous(),
        shape: row.shape(),
        raw_shape: row.raw_shape(),
        offsets: row.offsets(),
        is_truncated: row.is_truncated,
        is_overwritten: false,
    }
}

/// Cores are numbered cube cores first, then the two vector cores of each cluster.
fn subtask_id(trace: &Trace, row: &TensorRow) -> u32 {
    if row.core_type == CoreType::Aic {
        return 0;
    }
    let cores = trace.session().cores.iter();
    let cubes = cores.filter(|core| core.core_type == CoreType::Aic).count();
    let vector = usize::from(row.core).saturating_sub(cubes);
    match vector % 2 {
        0 => 1,
        _ => 2,
    }
}

fn failed(source: io::Error) -> ExportError {
    ExportError::Write {
        format: "tensor-dump",
        source,
    }
}
