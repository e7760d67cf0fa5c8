//! The text of the file: key order, line breaks and number formats are part of the format.

use super::{PhaseRow, Records, TaskRow};
use crate::ExportError;
use lanescope_trace::{Orchestrator, OrchestratorPhase, SchedulerPhase};
use std::io::{self, BufWriter, Write};

/// The longest fan-out list a record can hold.
pub(super) const MAX_FANOUT: i64 = 128;

pub(super) fn encode(records: &Records<'_>, out: impl Write) -> Result<(), ExportError> {
    let mut encoder = Encoder {
        records,
        base_ticks: base_ticks(records),
        out: BufWriter::with_capacity(256 << 10, out),
    };
    encoder.document().map_err(|source| ExportError::Write {
        format: "records-json",
        source,
    })
}

/// The earliest of: every start, even 0; every known dispatch; every known start of a phase and of
/// the orchestrator.
fn base_ticks(records: &Records<'_>) -> u64 {
    let starts = records.tasks.iter().map(|row| row.start_ticks);
    let dispatches = records.tasks.iter().map(|row| row.dispatch_ticks);
    let phases = records.phases.iter().flatten().map(|row| row.start_ticks);
    let totals = records.orchestrator.iter().map(|totals| totals.start_ticks);
    let known = dispatches.chain(phases).chain(totals);
    let base = starts.chain(known.filter(|&ticks| ticks != 0)).min();
    base.unwrap_or(0)
}

struct Encoder<'a, W: Write> {
    records: &'a Records<'a>,
    base_ticks: u64,
    out: BufWriter<W>,
}

impl<W: Write> Encoder<'_, W> {
    fn document(&mut self) -> io::Result<()> {
        let records = self.records;
        let has_phases = records.phases.iter().any(|rows| !rows.is_empty());
        let version = 1 + u8::from(has_phases || records.orchestrator.is_some());
        write!(self.out, "{{\n  \"version\": {version},\n  \"tasks\": [")?;
        for (place, row) in records.tasks.iter().enumerate() {
            self.separate(place)?;
            self.task(row)?;
        }
        self.out.write_all(b"\n  ]")?;
        if version == 2 {
            self.phases("aicpu_scheduler_phases", false)?;
            if let Some(totals) = &records.orchestrator {
                self.orchestrator(totals)?;
            }
            let mut rows = records.phases.iter().flatten();
            if rows.any(|row| row.phase >= PhaseRow::FIRST_ORCHESTRATOR) {
                self.phases("aicpu_orchestrator_phases", true)?;
            }
        }
        if let Some(core_to_thread) = &records.core_to_thread {
            self.out.write_all(b",\n  \"core_to_thread\": ")?;
            self.list(core_to_thread)?;
        }
        self.out.write_all(b"\n}\n")?;
        self.out.flush()
    }

    fn task(&mut self, row: &TaskRow<'_>) -> io::Result<()> {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let known_us = |ticks| match ticks {
            0 => 0.0,
            ticks => self.at_us(ticks),
        };
        let (dispatch_us, finish_us) = (known_us(row.dispatch_ticks), known_us(row.finish_ticks));
        let core_type = if row.core_type == 0 { "aic" } else { "aiv" };
        write!(
            self.out,
            "    {{\n      \"task_id\": {},\n      \"func_id\": {},\n      \"core_id\": {},\n      \
             \"core_type\": \"{core_type}\",\n      \"ring_id\": {},\n      \
             \"start_time_us\": {start_us:.3},\n      \"end_time_us\": {end_us:.3},\n      \
             \"duration_us\": {:.3},\n      \"dispatch_time_us\": {dispatch_us:.3},\n      \
             \"finish_time_us\": {finish_us:.3},\n      \"fanout\": ",
            row.task_id,
            row.func_id,
            row.core_id,
            ring_id(row.task_id),
            end_us - start_us,
        )?;
        match row.fanout_count {
            0..=MAX_FANOUT => self.list(&row.fanout)?,
            _ => self.list::<u64>(&[])?,
        }
        let count = row.fanout_count;
        write!(self.out, ",\n      \"fanout_count\": {count}\n    }}")
    }

    /// One array per AICPU thread, empty ones included, of the scheduler's or orchestrator's phases.
    fn phases(&mut self, key: &str, of_orchestrator: bool) -> io::Result<()> {
        write!(self.out, ",\n  \"{key}\": [")?;
        let records = self.records;
        for thread in 0..records.max_threads.max(records.phases.len()) {
            self.separate(thread)?;
            self.out.write_all(b"    [")?;
            let rows = records.phases.get(thread).into_iter().flatten();
            let rows =
                rows.filter(|row| (row.phase >= PhaseRow::FIRST_ORCHESTRATOR) == of_orchestrator);
            for (place, row) in rows.enumerate() {
                self.separate(place)?;
                match of_orchestrator {
                    true => self.orchestrator_phase(row)?,
                    false => self.scheduler_phase(row)?,
                }
            }
            self.out.write_all(b"\n    ]")?;
        }
        self.out.write_all(b"\n  ]")
    }

    fn scheduler_phase(&mut self, row: &PhaseRow) -> io::Result<()> {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let phase = SchedulerPhase {
            phase: row.phase,
            ..SchedulerPhase::default()
        };
        let name = phase.name();
        write!(
            self.out,
            "      {{\"start_time_us\": {start_us:.3}, \"end_time_us\": {end_us:.3}, \
             \"phase\": \"{name}\", \"loop_iter\": {}, \"tasks_processed\": {}",
            row.loop_iter, row.value,
        )?;
        if self.records.pops && name == "dispatch" {
            let (hits, misses) = row.pops;
            write!(self.out, ", \"pop_hit\": {hits}, \"pop_miss\": {misses}")?;
        }
        self.out.write_all(b"}")
    }

    fn orchestrator_phase(&mut self, row: &PhaseRow) -> io::Result<()> {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let phase = OrchestratorPhase {
            phase: row.phase,
            ..OrchestratorPhase::default()
        };
        write!(
            self.out,
            "      {{\"phase\": \"{}\", \"start_time_us\": {start_us:.3}, \
             \"end_time_us\": {end_us:.3}, \"submit_idx\": {}, \"task_id\": {}}}",
            phase.name(),
            row.loop_iter,
            row.value,
        )
    }

    fn orchestrator(&mut self, totals: &Orchestrator) -> io::Result<()> {
        let (start_us, end_us) = (self.at_us(totals.start_ticks), self.at_us(totals.end_ticks));
        write!(
            self.out,
            ",\n  \"aicpu_orchestrator\": {{\n    \"start_time_us\": {start_us:.3},\n    \
             \"end_time_us\": {end_us:.3},\n    \"submit_count\": {},\n    \"phase_us\": {{",
            totals.submit_count,
        )?;
        let phases = Orchestrator::PHASES.iter().zip(totals.phase_ticks);
        for (place, (name, ticks)) in phases.enumerate() {
            self.separate(place)?;
            write!(self.out, "      \"{name}\": {:.3}", self.us(ticks))?;
        }
        self.out.write_all(b"\n    }\n  }")
    }

    /// The line break before an element of a list, and the comma before all but the first.
    fn separate(&mut self, place: usize) -> io::Result<()> {
        self.out.write_all(if place == 0 { b"\n" } else { b",\n" })
    }

    fn list<T: std::fmt::Display>(&mut self, items: &[T]) -> io::Result<()> {
        self.out.write_all(b"[")?;
        for (place, item) in items.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(self.out, "{comma}{item}")?;
        }
        self.out.write_all(b"]")
    }

    /// Microseconds since the base; times before it wrap, as they do in the reference.
    fn at_us(&self, ticks: u64) -> f64 {
        self.us(ticks.wrapping_sub(self.base_ticks))
    }

    /// The order of the operations is part of the format: it decides the last digit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the reference computes in doubles, and so must this"
    )]
    fn us(&self, ticks: u64) -> f64 {
        ticks as f64 / self.records.ticks_per_second as f64 * 1_000_000.0
    }
}

/// The upper half of the id, printed as a signed number.
fn ring_id(task_id: u64) -> i32 {
    u32::try_from(task_id >> 32)
        .expect("half of 64 bits")
        .cast_signed()
}
