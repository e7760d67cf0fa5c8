//! `lanescope dump`: list the tensors of a run, look into them, compare them with another run's.

mod compare;
mod slice;

use crate::arguments::DumpArguments;
use crate::{files, output};
use anyhow::{Context, Result, bail};
use lanescope::DumpSelection;
use lanescope_export::npy;
use lanescope_report::tensor::{Elements, Statistics};
use lanescope_trace::{Dtype, Kind, Outcome, Payload, TensorRow, Trace};
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

pub(crate) use slice::Slice;

/// Ends with 1 when tensors of a run or their bytes were lost, or when two runs differ.
pub(crate) fn dump(arguments: &DumpArguments) -> Result<ExitCode> {
    let trace = open(&arguments.dir)?;
    let rows = chosen(&trace, &arguments.select);
    if rows.is_empty() {
        bail!("{}: none of its tensors is chosen", arguments.dir.display());
    }
    if let Some(slice) = &arguments.slice {
        slice.check(&rows)?;
    }
    let mut is_whole = tell_of_losses(&arguments.dir, &trace);
    if let Some(other) = &arguments.compare {
        let other_trace = open(other)?;
        let other_rows = chosen(&other_trace, &arguments.select);
        is_whole &= tell_of_losses(other, &other_trace);
        let is_same = compare::compare((&trace, &rows), (&other_trace, &other_rows), arguments)?;
        return Ok(ExitCode::from(u8::from(!is_same || !is_whole)));
    }
    if let Some(folder) = &arguments.npy {
        write_npy(&trace, &rows, folder)?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let listed = list(&trace, &rows, arguments, &mut out);
    match listed.and_then(|lost| out.flush().map(|()| lost)) {
        Ok(lost) => Ok(ExitCode::from(u8::from(lost > 0 || !is_whole))),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

fn open(path: &Path) -> Result<Trace> {
    let trace = Trace::open(path)?;
    if trace.tensors().next().is_none() {
        bail!("{}: its run dumped no tensors", path.display());
    }
    Ok(trace)
}

/// Says what of a run's tensors is not there; whether all are.
fn tell_of_losses(path: &Path, trace: &Trace) -> bool {
    let path = path.display();
    let Some(verdict) = trace.verdict() else {
        // An imported run: what its source counted is all there is to know.
        let dropped = trace.dropped_tensors();
        match dropped {
            0 => output::note(format!("{path}: an imported run, which has no verdict")),
            _ => output::note(format!("{path}: {dropped} more tensors were dropped")),
        }
        return dropped == 0;
    };
    let kinds = verdict.kinds.iter().map(|kind| (kind.kind, &kind.counts));
    let lost: u64 = kinds
        .filter(|(kind, _)| *kind == Kind::TENSOR)
        .map(|(_, counts)| counts.total.saturating_sub(counts.collected))
        .sum();
    if lost > 0 {
        output::note(format!("{path}: {lost} more tensors were lost"));
    }
    if verdict.outcome == Outcome::Partial {
        output::note(format!(
            "{path}: the run did not end: more may have been dumped"
        ));
    }
    lost == 0 && verdict.outcome != Outcome::Partial
}

/// The chosen tensors by task, core, token, stage and argument.
fn chosen(trace: &Trace, selection: &DumpSelection) -> Vec<TensorRow> {
    let has = |row: &TensorRow| {
        let name = trace.functions().label(row.func_id);
        let number = row.func_id.to_string();
        let mut functions = selection.functions.iter();
        let any = |is_empty: bool, is_named: bool| is_empty || is_named;
        any(
            selection.task_ids.is_empty(),
            selection.task_ids.contains(&row.task_id),
        ) && any(
            selection.arguments.is_empty(),
            selection.arguments.contains(&row.arg_index),
        ) && any(
            selection.stages.is_empty(),
            selection.stages.contains(&row.stage),
        ) && any(
            selection.functions.is_empty(),
            functions.any(|function| *function == name || *function == number),
        )
    };
    let mut rows: Vec<TensorRow> = trace.tensors().filter(has).collect();
    rows.sort_by_key(|row| (row.task_id, row.core, row.token, row.stage, row.arg_index));
    rows
}

/// A line for each tensor; how many of them have lost their bytes.
fn list(
    trace: &Trace,
    rows: &[TensorRow],
    arguments: &DumpArguments,
    out: &mut impl Write,
) -> io::Result<u64> {
    let mut lost = 0;
    heading(arguments, out)?;
    for row in rows {
        let payload = trace.payload(row);
        lost += u64::from(payload.is_none());
        let flags = match (&payload, row.is_truncated) {
            (None, _) => format!("overwritten, {} bytes lost", row.payload_bytes),
            (_, true) => format!("truncated, {} bytes in all", row.tensor_bytes),
            _ => String::new(),
        };
        let line = format!(
            "{:#018x} {:<8} {:<20} {:<16} {:<6} {:>3} {:<8} {:<20} {:>12}",
            row.task_id,
            trace.session().core_name(row.core.into()),
            trace.functions().label(row.func_id),
            row.stage.name(),
            row.role.name(),
            row.arg_index,
            row.dtype.map_or("UNKNOWN", Dtype::name),
            format!("{:?}", row.shape()),
            payload.as_ref().map_or(0, Payload::len),
        );
        write!(out, "{line}")?;
        if arguments.stats {
            statistics(row, payload.as_ref(), out)?;
        }
        match flags.is_empty() {
            true => writeln!(out)?,
            false => writeln!(out, "  {flags}")?,
        }
        if let (Some(slice), Some(payload)) = (&arguments.slice, &payload) {
            slice.print(row, payload, out)?;
        }
    }
    Ok(lost)
}

fn heading(arguments: &DumpArguments, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "{:<18} {:<8} {:<20} {:<16} {:<6} {:>3} {:<8} {:<20} {:>12}",
        "task", "core", "function", "stage", "role", "arg", "type", "shape", "bytes"
    )?;
    if arguments.stats {
        write!(
            out,
            " {:>14} {:>14} {:>14} {:>6} {:>6}",
            "min", "max", "mean", "NaN", "Inf"
        )?;
    }
    writeln!(out)
}

fn statistics(
    row: &TensorRow,
    payload: Option<&Payload<'_>>,
    out: &mut impl Write,
) -> io::Result<()> {
    let statistics = match (row.dtype, payload) {
        (Some(dtype), Some(payload)) => Statistics::of(Elements::of(dtype, payload)),
        _ => Statistics::default(),
    };
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    write!(
        out,
        " {:>14} {:>14} {:>14} {:>6} {:>6}",
        known(statistics.min.map(|min| min.to_string())),
        known(statistics.max.map(|max| max.to_string())),
        known(statistics.mean.map(|mean| format!("{mean:.6e}"))),
        statistics.nan,
        statistics.infinite,
    )
}

/// One file for each tensor that has its bytes.
fn write_npy(trace: &Trace, rows: &[TensorRow], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut written = 0;
    for row in rows {
        let Some(payload) = trace.payload(row) else {
            continue;
        };
        let name = format!(
            "{:016x}_core{}_{}_{}_arg{}.npy",
            row.task_id,
            row.core,
            row.token,
            row.stage.name(),
            row.arg_index,
        );
        files::write_file(&folder.join(name), |file| {
            Ok(npy::write(row, &payload, file)?)
        })?;
        written += 1;
    }
    output::note(format!("wrote {written} files to {}", folder.display()));
    Ok(())
}
