//! The text of the file: key order, line breaks and number formats are part of the format.

use super::{PhaseRow, TaskRow};
use crate::ExportError;
use crate::text::Text;
use lanescope_trace::{Orchestrator, OrchestratorPhase, SchedulerPhase};
use std::io::{self, Write};

/// The longest fan-out list a record can hold.
const MAX_FANOUT: i64 = 128;

/// What a file is made of.
pub(super) trait Source {
    /// What must be known before the first row.
    fn facts(&self) -> Facts;

    /// The task records, by task id and core.
    fn tasks(
        &self,
        take: impl FnMut(&TaskRow<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError>;

    /// The phase records of an AICPU thread, scheduler and orchestrator mixed.
    fn phases(&self, thread: usize) -> impl Iterator<Item = PhaseRow>;
}

/// What must be known before the first row.
pub(super) struct Facts {
    pub(super) ticks_per_second: u64,
    /// Of the tasks.
    pub(super) first_ticks: Option<u64>,
    pub(super) has_tasks: bool,
    /// AICPU threads that may have phases.
    pub(super) threads: usize,
    /// How many phase arrays to write.
    pub(super) max_threads: usize,
    pub(super) pops: bool,
    pub(super) orchestrator: Option<Orchestrator>,
    pub(super) core_to_thread: Option<Vec<i32>>,
}

impl Facts {
    /// The earliest of every start, even 0, and every known dispatch of pairs of the two.
    pub(super) fn first_ticks(times: impl Iterator<Item = (u64, u64)>) -> Option<u64> {
        let first = times.map(|(start, dispatch)| match dispatch {
            0 => start,
            dispatch => start.min(dispatch),
        });
        first.min()
    }
}

pub(super) fn encode(source: &impl Source, out: impl Write) -> Result<(), ExportError> {
    let facts = source.facts();
    if !facts.has_tasks {
        return Err(ExportError::NoTasks {
            format: "records-json",
        });
    }
    let mut encoder = Encoder {
        source,
        base_ticks: 0,
        has_phases: false,
        has_orchestrator_phases: false,
        facts,
        text: Text::new(out),
    };
    encoder.look_at_phases();
    encoder.document()?;
    encoder.text.finish().map(drop).map_err(write_failed)
}

fn write_failed(source: io::Error) -> ExportError {
    ExportError::Write {
        format: "records-json",
        source,
    }
}

struct Encoder<'a, S, W: Write> {
    source: &'a S,
    facts: Facts,
    /// The earliest of: every start, even 0; every known dispatch; every known start of a phase and of
    /// the orchestrator.
    base_ticks: u64,
    has_phases: bool,
    has_orchestrator_phases: bool,
    text: Text<W>,
}

impl<S: Source, W: Write> Encoder<'_, S, W> {
    /// Finds what the phases say of the whole file.
    fn look_at_phases(&mut self) {
        let mut first = self.facts.first_ticks;
        let mut see = |ticks: u64| {
            if ticks != 0 {
                first = Some(first.map_or(ticks, |first| first.min(ticks)));
            }
        };
        for thread in 0..self.facts.threads {
            for row in self.source.phases(thread) {
                self.has_phases = true;
                self.has_orchestrator_phases |= is_of_orchestrator(&row);
                see(row.start_ticks);
            }
        }
        if let Some(totals) = &self.facts.orchestrator {
            see(totals.start_ticks);
        }
        self.base_ticks = first.unwrap_or(0);
    }

    fn document(&mut self) -> Result<(), ExportError> {
        let version = 1 + u64::from(self.has_phases || self.facts.orchestrator.is_some());
        self.text.raw("{\n  \"version\": ");
        self.text.uint(version);
        self.text.raw(",\n  \"tasks\": [");
        let source = self.source;
        let mut is_first = true;
        source.tasks(|row| {
            self.text.raw(if is_first { "\n" } else { ",\n" });
            is_first = false;
            self.task(row);
            self.text.pass_on().map_err(write_failed)
        })?;
        self.text.raw("\n  ]");
        if version == 2 {
            self.phases("aicpu_scheduler_phases", false)?;
            if let Some(totals) = self.facts.orchestrator {
                self.orchestrator(&totals);
            }
            if self.has_orchestrator_phases {
                self.phases("aicpu_orchestrator_phases", true)?;
            }
        }
        if let Some(threads) = &self.facts.core_to_thread {
            self.text.raw(",\n  \"core_to_thread\": [");
            for (place, thread) in threads.iter().enumerate() {
                self.text.raw(if place == 0 { "" } else { ", " });
                self.text.int((*thread).into());
            }
            self.text.raw("]");
        }
        self.text.raw("\n}\n");
        Ok(())
    }

    fn task(&mut self, row: &TaskRow<'_>) {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let known_us = |ticks| match ticks {
            0 => 0.0,
            ticks => self.at_us(ticks),
        };
        let (dispatch_us, finish_us) = (known_us(row.dispatch_ticks), known_us(row.finish_ticks));
        let text = &mut self.text;
        text.raw("    {\n      \"task_id\": ");
        text.uint(row.task_id);
        text.raw(",\n      \"func_id\": ");
        text.uint(row.func_id.into());
        text.raw(",\n      \"core_id\": ");
        text.uint(row.core_id.into());
        text.raw(match row.core_type {
            0 => ",\n      \"core_type\": \"aic\",\n      \"ring_id\": ",
            _ => ",\n      \"core_type\": \"aiv\",\n      \"ring_id\": ",
        });
        text.int(ring_id(row.task_id).into());
        text.raw(",\n      \"start_time_us\": ");
        text.thousandths(start_us);
        text.raw(",\n      \"end_time_us\": ");
        text.thousandths(end_us);
        text.raw(",\n      \"duration_us\": ");
        text.thousandths(end_us - start_us);
        text.raw(",\n      \"dispatch_time_us\": ");
        text.thousandths(dispatch_us);
        text.raw(",\n      \"finish_time_us\": ");
        text.thousandths(finish_us);
        text.raw(",\n      \"fanout\": [");
        if (0..=MAX_FANOUT).contains(&row.fanout_count) {
            for (place, id) in row.fanout.iter().enumerate() {
                text.raw(if place == 0 { "" } else { ", " });
                text.uint(*id);
            }
        }
        text.raw("],\n      \"fanout_count\": ");
        text.int(row.fanout_count);
        text.raw("\n    }");
    }

    /// One array per AICPU thread, empty ones included, of the scheduler's or orchestrator's phases.
    fn phases(&mut self, key: &str, of_orchestrator: bool) -> Result<(), ExportError> {
        self.text.raw(",\n  \"");
        self.text.raw(key);
        self.text.raw("\": [");
        let source = self.source;
        for thread in 0..self.facts.max_threads.max(self.facts.threads) {
            self.text
                .raw(if thread == 0 { "\n    [" } else { ",\n    [" });
            let rows = source.phases(thread);
            let rows = rows.filter(|row| is_of_orchestrator(row) == of_orchestrator);
            for (place, row) in rows.enumerate() {
                self.text.raw(if place == 0 { "\n" } else { ",\n" });
                match of_orchestrator {
                    true => self.orchestrator_phase(&row),
                    false => self.scheduler_phase(&row),
                }
                self.text.pass_on().map_err(write_failed)?;
            }
            self.text.raw("\n    ]");
        }
        self.text.raw("\n  ]");
        Ok(())
    }

    fn scheduler_phase(&mut self, row: &PhaseRow) {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let phase = SchedulerPhase {
            phase: row.phase,
            ..SchedulerPhase::default()
        };
        let name = phase.name();
        let text = &mut self.text;
        text.raw("      {\"start_time_us\": ");
        text.thousandths(start_us);
        text.raw(", \"end_time_us\": ");
        text.thousandths(end_us);
        text.raw(", \"phase\": \"");
        text.raw(name);
        text.raw("\", \"loop_iter\": ");
        text.uint(row.loop_iter);
        text.raw(", \"tasks_processed\": ");
        text.uint(row.value);
        if self.facts.pops && name == "dispatch" {
            let (hits, misses) = row.pops;
            text.raw(", \"pop_hit\": ");
            text.uint(hits);
            text.raw(", \"pop_miss\": ");
            text.uint(misses);
        }
        text.raw("}");
    }

    fn orchestrator_phase(&mut self, row: &PhaseRow) {
        let (start_us, end_us) = (self.at_us(row.start_ticks), self.at_us(row.end_ticks));
        let phase = OrchestratorPhase {
            phase: row.phase,
            ..OrchestratorPhase::default()
        };
        let text = &mut self.text;
        text.raw("      {\"phase\": \"");
        text.raw(phase.name());
        text.raw("\", \"start_time_us\": ");
        text.thousandths(start_us);
        text.raw(", \"end_time_us\": ");
        text.thousandths(end_us);
        text.raw(", \"submit_idx\": ");
        text.uint(row.loop_iter);
        text.raw(", \"task_id\": ");
        text.uint(row.value);
        text.raw("}");
    }

    fn orchestrator(&mut self, totals: &Orchestrator) {
        let (start_us, end_us) = (self.at_us(totals.start_ticks), self.at_us(totals.end_ticks));
        self.text
            .raw(",\n  \"aicpu_orchestrator\": {\n    \"start_time_us\": ");
        self.text.thousandths(start_us);
        self.text.raw(",\n    \"end_time_us\": ");
        self.text.thousandths(end_us);
        self.text.raw(",\n    \"submit_count\": ");
        self.text.int(totals.submit_count);
        self.text.raw(",\n    \"phase_us\": {");
        let phases = Orchestrator::PHASES.iter().zip(totals.phase_ticks);
        for (place, (name, ticks)) in phases.enumerate() {
            let us = self.us(ticks);
            self.text.raw(match place {
                0 => "\n      \"",
                _ => ",\n      \"",
            });
            self.text.raw(name);
            self.text.raw("\": ");
            self.text.thousandths(us);
        }
        self.text.raw("\n    }\n  }");
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
        ticks as f64 / self.facts.ticks_per_second as f64 * 1_000_000.0
    }
}

fn is_of_orchestrator(row: &PhaseRow) -> bool {
    row.phase >= PhaseRow::FIRST_ORCHESTRATOR
}

/// The upper half of the id, printed as a signed number.
fn ring_id(task_id: u64) -> i32 {
    u32::try_from(task_id >> 32)
        .expect("half of 64 bits")
        .cast_signed()
}
