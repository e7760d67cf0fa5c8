//! What a report does not know, or leaves out, in words: text and page say the same.

use crate::report::{
    CoreReport, FunctionReport, LimitsReport, PathReport, PmuReport, Report, SchedulerReport,
    Spread, VerdictReport,
};
use crate::text::{grouped, microseconds};

/// Of what held the run up.
pub(crate) fn of_limits(limits: &LimitsReport) -> Vec<String> {
    told(&[
        (
            "not known to wait, and left out above",
            limits.unknown_rows,
            "rows",
        ),
        (
            "without a row, and their cores above as if they stood still",
            limits.lost_rows,
            "tasks that ran",
        ),
    ])
}

/// Of the critical path.
pub(crate) fn of_path(path: &PathReport) -> Vec<String> {
    told(&[
        (
            "left out above",
            path.backward_edges,
            "edges whose producer ended after their consumer had started",
        ),
        (
            "in no step above, and in the floor as if that task took no time",
            path.dangling_edges,
            "edges that name a task without a row",
        ),
        ("depending on themselves", path.in_circles, "tasks"),
    ])
}

/// Of the AICPU threads.
pub(crate) fn of_schedulers(schedulers: &[SchedulerReport]) -> Vec<String> {
    let sum = |pick: fn(&SchedulerReport) -> u64| {
        let counts = schedulers.iter().map(pick);
        counts.fold(0, u64::saturating_add)
    };
    told(&[
        (
            "missing, and left out above",
            sum(|thread| thread.lost_phases),
            "phases",
        ),
        (
            "with a time that is not known, and in no time above",
            sum(|thread| thread.unknown_phases),
            "phases",
        ),
    ])
}

/// Of the hardware counters.
pub(crate) fn of_pmu(pmu: &PmuReport) -> Vec<String> {
    told(&[(
        "of another event type, and left out above",
        pmu.rows_of_other_events,
        "rows",
    )])
}

/// What there is any of.
fn told(counts: &[(&str, u64, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(_, count, _)| *count > 0);
    some.map(|&(what, count, of)| format!("{what}: {} {of}", grouped(count)))
        .collect()
}

/// Of what the cores did.
pub(crate) fn of_cores(report: &Report) -> Vec<String> {
    let overlap = |core: &&CoreReport| core.busy_ns > core.parts.run_ns;
    let cores = report.cores.iter().filter(overlap).count() as u64;
    told(&[(
        "with kernels that overlap, each of which counts in busy time and utilisation",
        cores,
        "cores",
    )])
}

/// Of the rows one by one: how many times the means leave out.
pub(crate) fn of_times(report: &Report) -> Option<String> {
    let sum = |pick: fn(&FunctionReport) -> &Spread| -> u64 {
        let spreads = report.functions.iter().map(pick);
        spreads.map(|spread| spread.unknown).sum()
    };
    let counts = [
        (sum(|function| &function.run), "run times"),
        (sum(|function| &function.head_wait), "head waits"),
        (sum(|function| &function.tail_wait), "tail waits"),
    ];
    let counts = counted(&counts);
    let told = format!("unknown, and left out above: {}", counts.join(", "));
    (!counts.is_empty()).then_some(told)
}

/// Of a run as a whole: why its numbers may not be those of all that ran.
pub(crate) fn of_run(report: &Report) -> Vec<String> {
    let lossy = report.verdict.as_ref();
    let lossy = lossy.filter(|verdict| verdict.outcome != EXACT);
    let told =
        lossy.map(|told| format!("{}: its numbers are those of what is left", verdict(told)));
    let findings = lossy.map_or(&[][..], |verdict| &verdict.findings);
    let findings = findings.iter().chain(&report.notes).cloned();
    told.into_iter().chain(findings).collect()
}

const EXACT: &str = lanescope_trace::Outcome::Exact.name();

/// What became of the records, as a line.
pub(crate) fn verdict(verdict: &VerdictReport) -> String {
    let collected = grouped(verdict.collected);
    let mut facts = vec![format!(
        "{collected} of {} records collected",
        grouped(verdict.total)
    )];
    facts.extend(counted(&[
        (verdict.dropped, "dropped"),
        (verdict.mismatched, "mismatched"),
        (verdict.abandoned, "abandoned"),
    ]));
    if verdict.waits > 0 {
        let (waits, us) = (grouped(verdict.waits), microseconds(verdict.blocked_ns));
        facts.push(format!("{waits} waits for the host, {us} µs in all"));
    }
    format!("{} ({})", verdict.outcome, facts.join(", "))
}

fn counted(counts: &[(u64, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|&(count, what)| format!("{} {what}", grouped(count)))
        .collect()
}
