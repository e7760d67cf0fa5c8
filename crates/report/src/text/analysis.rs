//! Where the time went, what held the run up, and the critical path as text.

use super::{add_row, grouped, line, microseconds, per_cent, plain_table, section};
use crate::doubts;
use crate::measure::ratio;
use crate::report::{LimitsReport, PartsReport, PathReport, Report};
use lanescope_trace::task_label;

/// Steps of the path that are told: those with the longest waits.
const STEPS_SHOWN: usize = 5;
/// Of the slowest tasks and the longest gaps.
const ROWS_SHOWN: usize = 5;

pub(super) fn parts(out: &mut String, report: &Report) {
    if report.makespan_ns.is_none() {
        return;
    }
    let mut table = plain_table(&[
        "cores",
        "run",
        "head wait",
        "tail wait",
        "starved",
        "blocked",
        "unknown",
    ]);
    for cores in &report.core_types {
        add_row(&mut table, &part_cells(cores.core_type, &cores.parts));
    }
    let title = "What the cores did: parts of the makespan, mean over all of a type";
    section(out, title, &table);
}

fn part_cells(name: &str, parts: &PartsReport) -> Vec<String> {
    let parts = [
        parts.run_ns,
        parts.head_wait_ns,
        parts.tail_wait_ns,
        parts.starved_ns,
        parts.blocked_ns,
        parts.unknown_ns,
    ];
    let whole: u128 = parts.iter().copied().map(u128::from).sum();
    let shares = parts.map(|part| per_cent(ratio(part.into(), whole)));
    [vec![name.to_owned()], shares.to_vec()].concat()
}

pub(super) fn limits(out: &mut String, report: &Report) {
    let (Some(limits), Some(makespan)) = (&report.limits, report.makespan_ns) else {
        return;
    };
    let mut table = plain_table(&["limit", "µs", "share"]);
    for (name, ns) in limits.parts() {
        let share = per_cent(ratio(ns.into(), makespan.into()));
        add_row(&mut table, &[name.to_owned(), microseconds(ns), share]);
    }
    section(out, "What held the run up: parts of the makespan", &table);
    idle(out, limits);
    if limits.nothing_ran_ns > 0 {
        let (ns, share) = (
            limits.nothing_ran_ns,
            ratio(limits.nothing_ran_ns.into(), makespan.into()),
        );
        let (us, share) = (microseconds(ns), per_cent(share));
        line(out, &format!("no core ran anything for {us} µs, {share}"));
    }
    for told in doubts::of_limits(limits) {
        line(out, &told);
    }
}

/// Core time that stood still, by what there was to do.
fn idle(out: &mut String, limits: &LimitsReport) {
    for idle in &limits.idle {
        let whole = u128::from(idle.beside_waiting_ns) + u128::from(idle.without_waiting_ns);
        if whole == 0 {
            continue;
        }
        let beside = per_cent(ratio(idle.beside_waiting_ns.into(), whole));
        let core_type = idle.core_type;
        line(
            out,
            &format!("{core_type} cores that ran nothing had a waiting task {beside} of that time"),
        );
    }
}

pub(super) fn path(out: &mut String, report: &Report) {
    let Some(path) = &report.critical_path else {
        if report.session.edges == 0 && report.session.tasks > 0 {
            line(out, "");
            line(out, "no critical path: the source has no edges");
        }
        return;
    };
    line(out, "");
    let makespan = report.makespan_ns.unwrap_or(0);
    line(
        out,
        &format!(
            "Critical path: {} tasks, run {} µs + wait {} µs + tail {} µs = makespan {} µs",
            grouped(path.steps.len() as u64),
            microseconds(path.run_ns),
            microseconds(path.wait_ns),
            microseconds(path.tail_ns),
            microseconds(makespan),
        ),
    );
    let share = per_cent(ratio(path.floor_ns.into(), makespan.into()));
    let floor = microseconds(path.floor_ns);
    line(
        out,
        &format!(
            "floor: {floor} µs, {share} of the makespan: the longest chain of run times alone"
        ),
    );
    waits(out, path);
    functions(out, path);
    steps(out, report, path);
    for told in doubts::of_path(path) {
        line(out, &told);
    }
}

fn waits(out: &mut String, path: &PathReport) {
    let parts = [
        ("until the end before was seen", path.notice_ns),
        ("until the dispatch", path.queue_ns),
        ("from dispatch to start", path.head_ns),
        ("not known where", path.unknown_ns),
    ];
    let parts = parts.iter().filter(|(_, ns)| *ns > 0);
    let parts: Vec<String> = parts
        .map(|(name, ns)| format!("{} µs {name}", microseconds(*ns)))
        .collect();
    if !parts.is_empty() {
        line(out, &format!("waits: {}", parts.join(", ")));
    }
}

fn functions(out: &mut String, path: &PathReport) {
    let mut table = plain_table(&["on the path", "steps", "run µs", "wait µs"]);
    for function in &path.functions {
        add_row(
            &mut table,
            &[
                function.name.clone(),
                grouped(function.steps),
                microseconds(function.run_ns),
                microseconds(function.wait_ns),
            ],
        );
    }
    for row in table.lines() {
        line(out, row.trim_end());
    }
}

fn steps(out: &mut String, report: &Report, path: &PathReport) {
    let mut longest: Vec<_> = path.steps.iter().collect();
    longest.sort_by_key(|step| std::cmp::Reverse(step.wait_ns()));
    longest.truncate(STEPS_SHOWN);
    let mut table = plain_table(&[
        "longest waits before",
        "core",
        "start µs",
        "wait µs",
        "seen",
        "dispatch",
        "start",
        "unknown",
        "run µs",
    ]);
    for step in longest {
        add_row(
            &mut table,
            &[
                report.task_name(step.func_id, step.task_id),
                report.core_name(step.core).to_owned(),
                microseconds(step.start_ns),
                microseconds(step.wait_ns()),
                microseconds(step.notice_ns),
                microseconds(step.queue_ns),
                microseconds(step.head_ns),
                microseconds(step.unknown_ns),
                microseconds(step.run_ns),
            ],
        );
    }
    for row in table.lines() {
        line(out, row.trim_end());
    }
}

pub(super) fn outliers(out: &mut String, report: &Report) {
    slowest(out, report);
    stragglers(out, report);
    gaps(out, report);
}

fn slowest(out: &mut String, report: &Report) {
    if report.slowest.is_empty() {
        return;
    }
    let mut table = plain_table(&["task", "core", "start µs", "run µs"]);
    for task in report.slowest.iter().take(ROWS_SHOWN) {
        add_row(
            &mut table,
            &[
                report.task_name(task.func_id, task.task_id),
                report.core_name(task.core).to_owned(),
                microseconds(task.start_ns),
                microseconds(task.run_ns),
            ],
        );
    }
    section(out, "Slowest tasks", &table);
}

fn stragglers(out: &mut String, report: &Report) {
    let functions = report.functions.iter();
    let with_some = functions.filter(|function| function.stragglers.count > 0);
    let mut table = plain_table(&[
        "function",
        "stragglers",
        "excess µs",
        "worst",
        "max / median",
    ]);
    let mut is_empty = true;
    for function in with_some {
        is_empty = false;
        let stragglers = &function.stragglers;
        let worst = stragglers
            .worst_task
            .map_or_else(|| "-".to_owned(), task_label);
        let (max, median) = (
            function.run.max_ns.unwrap_or(0),
            function.run.p50_ns.unwrap_or(0),
        );
        add_row(
            &mut table,
            &[
                function.name.clone(),
                grouped(stragglers.count),
                microseconds(stragglers.excess_ns),
                worst,
                match median {
                    0 => "-".to_owned(),
                    median => format!("{:.1}", ratio(max.into(), median.into())),
                },
            ],
        );
    }
    if !is_empty {
        let title = "Stragglers: more than twice the median of their function";
        section(out, title, &table);
    }
}

fn gaps(out: &mut String, report: &Report) {
    if report.gaps.is_empty() {
        return;
    }
    let mut table = plain_table(&["core", "from µs", "length µs", "after", "before"]);
    for gap in report.gaps.iter().take(ROWS_SHOWN) {
        add_row(
            &mut table,
            &[
                report.core_name(gap.core).to_owned(),
                microseconds(gap.from_ns),
                microseconds(gap.length_ns),
                task_label(gap.after_task),
                task_label(gap.before_task),
            ],
        );
    }
    section(
        out,
        "Longest gaps: a core between two tasks with nothing in hand",
        &table,
    );
}
