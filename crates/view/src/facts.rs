//! The facts of a run, as JSON in the page.

use crate::base::Base;
use crate::columns::{ColumnEntry, Columns};
use crate::counters::CounterFacts;
use crate::edges::EdgeCounts;
use crate::losses;
use crate::path::PathFacts;
use crate::phases::PhaseCounts;
use crate::tasks::TaskRows;
use lanescope_trace::{OrchestratorPhase, SchedulerPhase, Trace};
use serde::Serialize;

/// The facts of a run; numbers that may pass 53 bits are text.
#[derive(Debug, Serialize)]
pub(crate) struct Facts<'a> {
    /// Of this layout.
    version: u32,
    platform: &'a str,
    workload: &'a str,
    ticks_per_second: u64,
    origin_ticks: String,
    span_ticks: u64,
    level: Option<u32>,
    ring_size: Option<u32>,
    issue_depth: Option<u32>,
    seed: Option<String>,
    cores: Vec<CoreFacts>,
    functions: Vec<FunctionFacts>,
    threads: Vec<ThreadFacts>,
    scheduler_phases: &'static [&'static str],
    orchestrator_phases: &'static [&'static str],
    orchestrator_first: u32,
    orchestrator: Option<OrchestratorFacts>,
    counters: Option<CounterFacts>,
    path: Option<PathFacts>,
    losses: &'static [&'static str],
    /// The first kind of loss that is of a thread, not of a core.
    thread_losses_from: u64,
    lost_records: u64,
    edges: u64,
    verdict: Option<VerdictFacts>,
    notes: Vec<String>,
    columns: &'a [ColumnEntry],
}

#[derive(Debug, Serialize)]
struct CoreFacts {
    name: String,
    kind: &'static str,
    thread: Option<u32>,
    tasks: u32,
}

#[derive(Debug, Serialize)]
struct FunctionFacts {
    id: u32,
    name: String,
}

#[derive(Debug, Serialize)]
struct ThreadFacts {
    scheduler: u64,
    orchestrator: u64,
}

/// Totals of an orchestrator, for traces that have no phases of it.
#[derive(Debug, Serialize)]
struct OrchestratorFacts {
    start: u64,
    end: u64,
    submits: i64,
}

#[derive(Debug, Serialize)]
struct VerdictFacts {
    outcome: &'static str,
    dispatched: u64,
    total: u64,
    collected: u64,
    dropped: u64,
    mismatched: u64,
    findings: Vec<String>,
    abandoned: Vec<String>,
}

/// What the parts of a page said about themselves.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) rows: TaskRows,
    pub(crate) edges: EdgeCounts,
    pub(crate) phases: PhaseCounts,
    pub(crate) counters: Option<CounterFacts>,
    pub(crate) lost_records: u64,
    pub(crate) path: Option<PathFacts>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(trace: &'a Trace, base: Base, parts: &Parts, columns: &'a Columns) -> Self {
        let session = trace.session();
        let tasks = parts
            .rows
            .first_rows
            .windows(2)
            .map(|rows| rows[1] - rows[0]);
        let cores = session.cores.iter().enumerate().zip(tasks);
        let functions = parts.rows.functions.iter();
        let threads = parts
            .phases
            .scheduler
            .iter()
            .zip(&parts.phases.orchestrator);
        Self {
            version: 1,
            platform: &session.platform,
            workload: &session.workload,
            ticks_per_second: session.ticks_per_second.max(1),
            origin_ticks: base.origin_ticks().to_string(),
            span_ticks: base.span_ticks(),
            level: session.level,
            ring_size: session.ring_size,
            issue_depth: session.issue_depth,
            seed: session.seed.map(|seed| seed.to_string()),
            cores: cores
                .map(|((core, facts), tasks)| CoreFacts {
                    name: session.core_name(core),
                    kind: facts.core_type.name(),
                    thread: facts.thread,
                    tasks,
                })
                .collect(),
            functions: functions
                .map(|&id| FunctionFacts {
                    id,
                    name: trace.functions().label(id).into_owned(),
                })
                .collect(),
            threads: threads
                .map(|(&scheduler, &orchestrator)| ThreadFacts {
                    scheduler,
                    orchestrator,
                })
                .collect(),
            scheduler_phases: &SchedulerPhase::NAMES,
            orchestrator_phases: &OrchestratorPhase::NAMES,
            orchestrator_first: OrchestratorPhase::FIRST,
            orchestrator: orchestrator(trace, base),
            counters: parts.counters.clone(),
            path: parts.path,
            losses: &losses::KINDS,
            thread_losses_from: losses::PHASE_BEFORE,
            lost_records: parts.lost_records,
            edges: parts.edges.edges,
            verdict: verdict(trace),
            notes: notes(trace, parts),
            columns: columns.entries(),
        }
    }
}

fn orchestrator(trace: &Trace, base: Base) -> Option<OrchestratorFacts> {
    let totals = trace.orchestrator()?;
    let known = totals.start_ticks != 0 && totals.end_ticks >= totals.start_ticks;
    known.then(|| OrchestratorFacts {
        start: base.place(totals.start_ticks),
        end: base.place(totals.end_ticks),
        submits: totals.submit_count,
    })
}

fn verdict(trace: &Trace) -> Option<VerdictFacts> {
    let verdict = trace.verdict()?;
    let texts = verdict.findings.iter().map(|finding| finding.text.clone());
    Some(VerdictFacts {
        outcome: verdict.outcome.name(),
        dispatched: verdict.dispatched,
        total: verdict.totals.total,
        collected: verdict.totals.collected,
        dropped: verdict.totals.dropped.sum(),
        mismatched: verdict.totals.mismatched,
        findings: texts.collect(),
        abandoned: verdict.abandoned.iter().map(ToString::to_string).collect(),
    })
}

/// What the reader of the source said, and what has no place in the page.
fn notes(trace: &Trace, parts: &Parts) -> Vec<String> {
    let mut notes: Vec<String> = trace
        .notes()
        .iter()
        .map(|note| format!("{} {}", note.count, note.text))
        .collect();
    let unplaced = parts
        .counters
        .as_ref()
        .map_or(0, |counters| counters.unplaced);
    let own = [
        (parts.edges.dangling, "edges name a task that has no row"),
        (
            parts.phases.undrawn,
            "phases have no begin or end before it",
        ),
        (unplaced, "rows of counters belong to no task here"),
    ];
    for (count, text) in own {
        if count > 0 {
            notes.push(format!("{count} {text}"));
        }
    }
    notes
}
