//! Compares the tensors of two runs of one graph.

use crate::arguments::DumpArguments;
use crate::output;
use anyhow::Result;
use lanescope_report::tensor::{self, Elements, Tolerance};
use lanescope_trace::{CoreType, Dtype, Stage, TensorRow, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What makes a tensor of one run and one of another the same: not the core, which may differ, but
/// which of the task's rows it is.
type Key = (u64, u32, CoreType, Stage, u16, u32);

/// A run and its chosen tensors.
type Side<'a> = (&'a Trace, &'a [TensorRow]);

/// How a pair differs.
struct Differing {
    ticks: u64,
    row: TensorRow,
    text: String,
}

/// Whether all tensors are the same, and none is in one of the runs only.
pub(super) fn compare(one: Side<'_>, other: Side<'_>, arguments: &DumpArguments) -> Result<bool> {
    let tolerance = Tolerance {
        absolute: arguments.atol,
        relative: arguments.rtol,
    };
    let (here, there) = (keyed(one.1), keyed(other.1));
    let mut differing = Vec::new();
    let (mut compared, mut only_here, mut cut) = (0_u64, 0_u64, 0_u64);
    for (key, row) in &here {
        let Some(partner) = there.get(key) else {
            only_here += 1;
            continue;
        };
        compared += 1;
        cut += u64::from(row.is_truncated || partner.is_truncated);
        if let Some(text) = differs((one.0, row), (other.0, partner), tolerance) {
            differing.push(Differing {
                ticks: row.ticks,
                row: **row,
                text,
            });
        }
    }
    let only_there = there.keys().filter(|key| !here.contains_key(*key)).count();
    differing.sort_by_key(|pair| (pair.ticks, pair.row.task_id, pair.row.stage));
    let mut text = String::new();
    if let Some(first) = differing.first() {
        let row = &first.row;
        let _ = writeln!(
            text,
            "first task that differs: {:#018x} ({} on {}), {} argument {} ({} {:?})",
            row.task_id,
            one.0.functions().label(row.func_id),
            one.0.session().core_name(row.core.into()),
            row.stage.name(),
            row.arg_index,
            row.dtype.map_or("UNKNOWN", Dtype::name),
            row.shape(),
        );
        let _ = writeln!(text, "  {}", first.text);
    }
    let tasks: BTreeSet<u64> = differing.iter().map(|pair| pair.row.task_id).collect();
    let _ = writeln!(
        text,
        "{} of {compared} tensors differ, in {} tasks",
        differing.len(),
        tasks.len()
    );
    if only_here > 0 || only_there > 0 {
        let _ = writeln!(
            text,
            "{only_here} only in the first run, {only_there} only in the second"
        );
    }
    if cut > 0 {
        let _ = writeln!(
            text,
            "{cut} were truncated, and compared as far as they were kept"
        );
    }
    output::data(text)?;
    Ok(differing.is_empty() && only_here == 0 && only_there == 0)
}

/// The rows come by task, core and token: the n-th of a task in one run goes with its n-th in the other.
fn keyed(rows: &[TensorRow]) -> BTreeMap<Key, &TensorRow> {
    let mut keyed: BTreeMap<Key, &TensorRow> = BTreeMap::new();
    let mut counts: BTreeMap<(u64, u32, CoreType, Stage, u16), u32> = BTreeMap::new();
    for row in rows {
        let name = (
            row.task_id,
            row.func_id,
            row.core_type,
            row.stage,
            row.arg_index,
        );
        let count = counts.entry(name).or_default();
        let (task_id, func_id, core_type, stage, argument) = name;
        keyed.insert((task_id, func_id, core_type, stage, argument, *count), row);
        *count += 1;
    }
    keyed
}

/// How a pair differs; `None` when it does not.
fn differs(
    (one, row): (&Trace, &TensorRow),
    (other, partner): (&Trace, &TensorRow),
    tolerance: Tolerance,
) -> Option<String> {
    if row.dtype != partner.dtype || row.shape() != partner.shape() {
        let name = |row: &TensorRow| row.dtype.map_or("UNKNOWN", Dtype::name);
        return Some(format!(
            "{} {:?} and {} {:?}",
            name(row),
            row.shape(),
            name(partner),
            partner.shape()
        ));
    }
    let (Some(here), Some(there)) = (one.payload(row), other.payload(partner)) else {
        return Some("the bytes of one of them are lost".to_owned());
    };
    let Some(dtype) = row.dtype else {
        let (here, there) = (here.to_vec(), there.to_vec());
        let is_same = here.iter().zip(&there).all(|(one, other)| one == other);
        return (!is_same).then(|| "bytes of an unknown type differ".to_owned());
    };
    let elements = (Elements::of(dtype, &here), Elements::of(dtype, &there));
    let difference = tensor::compare(elements.0, elements.1, tolerance)?;
    let (place, first, second) = difference.first;
    Some(format!(
        "{} of {} elements differ, by up to {:e}; first at {:?}: {first} and {second}",
        difference.count,
        row.element_count(),
        difference.largest,
        indices(place, row.shape()),
    ))
}

/// The indices of a position in row-major order.
fn indices(mut position: u64, shape: &[u32]) -> Vec<u64> {
    let mut indices: Vec<u64> = Vec::new();
    for &extent in shape.iter().rev() {
        let extent = u64::from(extent).max(1);
        indices.push(position % extent);
        position /= extent;
    }
    indices.reverse();
    indices
}
