//! A dump against what the host knows of every tensor: right, or flagged, or counted as lost.

use crate::tensors::{ExpectedTensor, TensorGraph};
use lanescope::{Kind, Verdict};
use lanescope_trace::{TensorRow, Trace};
use std::collections::HashMap;

/// How much of a dump is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Tensors with all their bytes.
    pub whole: u64,
    /// Tensors with some of them, and the flag that says so.
    pub truncated: u64,
    /// Tensors that were counted as dropped.
    pub dropped: u64,
}

/// Looks at every row; what is wrong comes with the counts.
///
/// Checked: each row is of a tensor that was asked for, once, with its type, shape and role; its bytes
/// are the tensor's, or, flagged, its first ones; and what has no row was counted.
pub fn look(graph: &TensorGraph, trace: &Trace, verdict: &Verdict) -> (Found, Vec<String>) {
    let mut faults = Vec::new();
    let mut found = Found::default();
    let key = |tensor: &ExpectedTensor| (tensor.task_id, tensor.arg_index, tensor.stage);
    let mut expected: HashMap<_, _> = graph.expected.iter().map(|t| (key(t), t)).collect();
    for row in trace.tensors() {
        let key = (row.task_id, row.arg_index, row.stage);
        let Some(tensor) = expected.remove(&key) else {
            faults.push(format!("{key:?} was dumped twice, or never asked for"));
            continue;
        };
        match fault(tensor, &row, trace) {
            Some(text) => faults.push(format!("{key:?}: {text}")),
            None if row.is_truncated => found.truncated += 1,
            None => found.whole += 1,
        }
    }
    let kinds = verdict.kinds.iter();
    let mut counts = kinds
        .filter(|kind| kind.kind == Kind::TENSOR)
        .map(|kind| kind.counts);
    match counts.next_back() {
        Some(counts) => {
            found.dropped = counts.dropped.no_buffer + counts.dropped.no_arena;
            let rows = trace.tensors().count() as u64;
            let missing = expected.len() as u64;
            if (counts.total, counts.collected, found.dropped) != (rows + missing, rows, missing) {
                faults.push(format!("{rows} rows, {missing} missing, but {counts:?}"));
            }
        }
        None => faults.push("the verdict knows of no tensors".to_owned()),
    }
    faults.truncate(12);
    (found, faults)
}

fn fault(expected: &ExpectedTensor, row: &TensorRow, trace: &Trace) -> Option<String> {
    let told = (row.role, row.dtype, row.shape());
    let wanted = (expected.role, Some(expected.dtype), &expected.shape[..]);
    if told != wanted {
        return Some(format!("{told:?}, expected {wanted:?}"));
    }
    let bytes = expected.bytes.len() as u64;
    if row.tensor_bytes != bytes {
        return Some(format!("{} bytes, expected {bytes}", row.tensor_bytes));
    }
    let is_whole = row.payload_bytes == bytes;
    if is_whole == row.is_truncated || row.payload_bytes > bytes {
        return Some(format!("{row:?}: the flag says something else"));
    }
    let Some(payload) = trace.payload(row) else {
        return Some("its bytes are not there, or not those the device wrote".to_owned());
    };
    let payload = payload.to_vec();
    if !expected.bytes.starts_with(&payload) {
        let at = payload
            .iter()
            .zip(&expected.bytes)
            .position(|(a, b)| a != b);
        return Some(format!(
            "byte {at:?} of {bytes} is other than in the tensor"
        ));
    }
    None
}
