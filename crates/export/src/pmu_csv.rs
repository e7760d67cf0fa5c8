//! `pmu.csv`, byte for byte as the reference runtime's collector writes it, and the table of several runs.
//!
//! # Where it sits
//!
//! [`write()`] takes a trace; [`write_rows`] is the layer below: decoded rows of one chip and event
//! type. [`write_joined`] puts several runs of a graph side by side.
//!
//! # What can be lost
//!
//! A counter that the event type leaves unused has no column. The format has no token, no run and no
//! time; a row that was dropped is not there, and the verdict tells of it.
//!
//! # Errors
//!
//! [`ExportError::Write`]; [`ExportError::NoPmu`] for a trace without counters, since the reference
//! writes no file then; [`ExportError::PmuEvent`] when the chip has no such event type.

use crate::ExportError;
use lanescope_trace::{Chip, JoinedPmu, PmuEvent, PmuRow, Trace};
use std::io::{self, BufWriter, Write};

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "pmu.csv";
/// The name the table of several runs has in an output folder.
pub const JOINED_FILE_NAME: &str = "pmu_all.csv";

/// Writes a trace: the rows of thread 0, then those of thread 1, and so on.
///
/// # Errors
///
/// As in the module's text.
pub fn write(trace: &Trace, out: impl Write) -> Result<(), ExportError> {
    let first = trace.pmu_rows().next().ok_or(ExportError::NoPmu)?;
    let chip = trace.session().chip.unwrap_or(Chip::A2a3);
    write_rows(chip, first.event, trace.pmu_rows(), out)
}

/// Writes rows that were counted with one event type, in the order given.
///
/// # Errors
///
/// As in the module's text.
pub fn write_rows(
    chip: Chip,
    event: u32,
    rows: impl IntoIterator<Item = PmuRow>,
    out: impl Write,
) -> Result<(), ExportError> {
    let event = event_of(chip, event)?;
    let mut out = BufWriter::with_capacity(256 << 10, out);
    rows_of(event, rows, &mut out).map_err(|source| ExportError::Write {
        format: "pmu-csv",
        source,
    })
}

fn event_of(chip: Chip, event: u32) -> Result<&'static PmuEvent, ExportError> {
    let known = chip.info().pmu_event(event);
    known.ok_or(ExportError::PmuEvent { chip, event })
}

fn rows_of(
    event: &PmuEvent,
    rows: impl IntoIterator<Item = PmuRow>,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles")?;
    for (_, column) in event.columns() {
        write!(out, ",{column}")?;
    }
    out.write_all(b",event_type\n")?;
    for row in rows {
        write!(
            out,
            "{},{},0x{:016x},{},{},{}",
            row.thread, row.core, row.task_id, row.func_id, row.core_type as u32, row.total_cycles,
        )?;
        for (counter, _) in event.columns() {
            write!(out, ",{}", row.counters[counter])?;
        }
        writeln!(out, ",{}", row.event)?;
    }
    out.flush()
}

/// Writes several runs of one graph side by side: a row for each task, the total and the columns of
/// each event type behind its name. A field is empty where a run has no row of the task.
///
/// # Errors
///
/// As in the module's text.
pub fn write_joined(chip: Chip, joined: &JoinedPmu, out: impl Write) -> Result<(), ExportError> {
    if joined.events.is_empty() {
        return Err(ExportError::NoPmu);
    }
    let events = joined.events.iter().map(|&event| event_of(chip, event));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let mut out = BufWriter::with_capacity(256 << 10, out);
    joined_rows(&events, joined, &mut out).map_err(|source| ExportError::Write {
        format: "pmu-csv",
        source,
    })
}

fn joined_rows(events: &[&PmuEvent], joined: &JoinedPmu, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"task_id,occurrence,func_id,core_type")?;
    for event in events {
        write!(out, ",{}.total_cycles", event.name)?;
        for (_, column) in event.columns() {
            write!(out, ",{}.{column}", event.name)?;
        }
    }
    out.write_all(b"\n")?;
    for task in &joined.tasks {
        let Some(first) = task.rows.iter().flatten().next() else {
            continue;
        };
        write!(
            out,
            "0x{:016x},{},{},{}",
            task.task_id, task.occurrence, first.func_id, first.core_type as u32,
        )?;
        for (event, row) in events.iter().zip(&task.rows) {
            match row {
                Some(row) => write!(out, ",{}", row.total_cycles)?,
                None => out.write_all(b",")?,
            }
            for (counter, _) in event.columns() {
                match row {
                    Some(row) => write!(out, ",{}", row.counters[counter])?,
                    None => out.write_all(b",")?,
                }
            }
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
