//! A report as one page: drawings for what is compared by eye, tables for the numbers.

use crate::page::{Page, escape};
use crate::report::{PartsReport, PathReport, Report};
use crate::text::{grouped, microseconds, per_cent, task_label};
use std::fmt::Write;

/// Width of a drawing in its own units.
const WIDTH: u32 = 1000;
/// Steps of the path that are drawn one by one; of a longer path every so many-th stands for its run.
const STEPS_DRAWN: usize = 2000;
const STEPS_LISTED: usize = 20;
const PARTS: [(&str, &str); 6] = [
    ("run", "run"),
    ("head", "head wait"),
    ("tail", "tail wait"),
    ("starved", "starved"),
    ("blocked", "blocked"),
    ("unknown", "unknown"),
];

pub(crate) fn html(report: &Report) -> String {
    let session = &report.session;
    let workload = match session.workload.as_str() {
        "" => "run",
        workload => workload,
    };
    let mut page = Page::new(&format!("{workload} on {}", session.platform));
    facts(&mut page, report);
    cores(&mut page, report);
    limits(&mut page, report);
    path(&mut page, report);
    functions(&mut page, report);
    outliers(&mut page, report);
    schedulers(&mut page, report);
    pmu(&mut page, report);
    verdict(&mut page, report);
    page.end()
}

fn facts(page: &mut Page, report: &Report) {
    let session = &report.session;
    let makespan = report.makespan_ns.map_or_else(
        || "makespan unknown".to_owned(),
        |ns| format!("makespan {} µs", microseconds(ns)),
    );
    page.text(&format!(
        "{makespan}; {} tasks, {} edges, {} cores, {} AICPU threads",
        grouped(session.tasks),
        grouped(session.edges),
        report.cores.len(),
        session.aicpu_threads,
    ));
    for note in &report.notes {
        page.text(&format!("note: {note}"));
    }
}

const fn parts_of(parts: &PartsReport) -> [u64; 6] {
    [
        parts.run_ns,
        parts.head_wait_ns,
        parts.tail_wait_ns,
        parts.starved_ns,
        parts.blocked_ns,
        parts.unknown_ns,
    ]
}

/// A bar for each core: what it did, as parts of the makespan.
fn cores(page: &mut Page, report: &Report) {
    let Some(makespan) = report.makespan_ns.filter(|&ns| ns > 0) else {
        return;
    };
    page.heading("What the cores did");
    page.raw(&key());
    let row = 14;
    let height = row * report.cores.len();
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"parts of the makespan by core\">",
        WIDTH + 120
    );
    for (place, core) in report.cores.iter().enumerate() {
        let y = place * row;
        let name = escape(&core.name);
        let _ = write!(svg, "<text x=\"0\" y=\"{}\">{name}</text>", y + 10);
        let mut x = 120.0;
        for ((class, what), ns) in PARTS.into_iter().zip(parts_of(&core.parts)) {
            let width = share(ns, makespan) * f64::from(WIDTH);
            if width > 0.0 {
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{}\" width=\"{width:.2}\" \
                     height=\"10\"><title>{name}: {what} {} µs, {}</title></rect>",
                    y + 1,
                    microseconds(ns),
                    per_cent(share(ns, makespan)),
                );
            }
            x += width;
        }
    }
    svg.push_str("</svg>");
    page.raw(&svg);
    let rows = report.core_types.iter().map(|cores| {
        let parts = parts_of(&cores.parts);
        let whole: u64 = parts.iter().copied().fold(0, u64::saturating_add);
        let mut cells = vec![cores.core_type.to_owned(), grouped(cores.cores)];
        cells.extend(parts.map(|ns| per_cent(share(ns, whole))));
        ("", cells)
    });
    let header = [
        "cores",
        "count",
        "run",
        "head wait",
        "tail wait",
        "starved",
        "blocked",
        "unknown",
    ];
    page.table(&header, rows);
}

fn key() -> String {
    let mut key = String::from("<p class=\"key quiet\">");
    for (class, what) in PARTS {
        let _ = write!(
            key,
            "<span><svg viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"1\" \
             height=\"1\"/></svg> {what}</span>"
        );
    }
    key.push_str("</p>");
    key
}

#[expect(clippy::cast_precision_loss, reason = "a part of a drawing")]
fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

fn limits(page: &mut Page, report: &Report) {
    let (Some(limits), Some(makespan)) = (&report.limits, report.makespan_ns) else {
        return;
    };
    page.heading("What held the run up");
    let nothing_ran = (
        "no core ran anything (part of the others)",
        limits.nothing_ran_ns,
    );
    let rows = limits.parts().into_iter().chain([nothing_ran]);
    let rows = rows.map(|(what, ns)| {
        let cells = [
            what.to_owned(),
            microseconds(ns),
            per_cent(share(ns, makespan)),
        ];
        ("", cells.to_vec())
    });
    page.table(&["limit", "µs", "share of the makespan"], rows);
}

fn path(page: &mut Page, report: &Report) {
    let (Some(path), Some(makespan)) = (&report.critical_path, report.makespan_ns) else {
        return;
    };
    page.heading("Critical path");
    page.text(&format!(
        "{} tasks: run {} µs + wait {} µs + tail {} µs. Floor {} µs, {} of the makespan: the longest \
         chain of run times alone.",
        grouped(path.steps.len() as u64),
        microseconds(path.run_ns),
        microseconds(path.wait_ns),
        microseconds(path.tail_ns),
        microseconds(path.floor_ns),
        per_cent(share(path.floor_ns, makespan)),
    ));
    page.raw(&path_drawing(report, path, makespan));
    let rows = path.functions.iter().map(|function| {
        let cells = [
            escape(&function.name),
            grouped(function.steps),
            microseconds(function.run_ns),
            microseconds(function.wait_ns),
        ];
        ("", cells.to_vec())
    });
    page.table(&["function", "steps", "run µs", "wait µs"], rows);
    page.heading("Longest waits on the path");
    let mut longest: Vec<_> = path.steps.iter().collect();
    longest.sort_by_key(|step| std::cmp::Reverse(step.wait_ns()));
    let rows = longest.into_iter().take(STEPS_LISTED).map(|step| {
        let times = [
            step.start_ns,
            step.wait_ns(),
            step.notice_ns,
            step.queue_ns,
            step.head_ns,
            step.unknown_ns,
            step.run_ns,
        ];
        let mut cells = vec![
            escape(&report.task_name(step.func_id, step.task_id)),
            escape(report.core_name(step.core)),
        ];
        cells.extend(times.map(microseconds));
        ("", cells)
    });
    let header = [
        "before",
        "core",
        "start µs",
        "wait µs",
        "seen",
        "dispatch",
        "start",
        "unknown",
        "run µs",
    ];
    page.table(&header, rows);
}

/// Runs and waits of the path along the makespan.
fn path_drawing(report: &Report, path: &PathReport, makespan: u64) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} 26\" role=\"img\" aria-label=\"the critical path over time\">\
         <rect class=\"starved\" width=\"{WIDTH}\" height=\"22\"/>"
    );
    let every = path.steps.len().div_ceil(STEPS_DRAWN).max(1);
    for step in path.steps.iter().step_by(every) {
        let x = share(step.start_ns, makespan) * f64::from(WIDTH);
        let width = (share(step.run_ns, makespan) * f64::from(WIDTH)).max(0.5);
        let name = escape(&report.task_name(step.func_id, step.task_id));
        let _ = write!(
            svg,
            "<rect class=\"run\" x=\"{x:.2}\" width=\"{width:.2}\" height=\"22\"><title>{name}: wait \
             {} µs, run {} µs</title></rect>",
            microseconds(step.wait_ns()),
            microseconds(step.run_ns),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn functions(page: &mut Page, report: &Report) {
    if report.functions.is_empty() {
        return;
    }
    page.heading("Functions, in µs");
    let known = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), microseconds);
    let mean = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{:.3}", ns / 1e3));
    let rows = report.functions.iter().map(|function| {
        let (run, head, tail) = (&function.run, &function.head_wait, &function.tail_wait);
        let cells = [
            escape(&function.name),
            grouped(function.count),
            per_cent(function.share),
            mean(run.mean_ns),
            known(run.p50_ns),
            known(run.p99_ns),
            known(run.max_ns),
            mean(head.mean_ns),
            known(head.p99_ns),
            mean(tail.mean_ns),
            known(tail.p99_ns),
            grouped(function.stragglers.count),
            grouped(run.unknown),
        ];
        ("", cells.to_vec())
    });
    let header = [
        "function",
        "tasks",
        "share",
        "run mean",
        "p50",
        "p99",
        "max",
        "head mean",
        "p99",
        "tail mean",
        "p99",
        "stragglers",
        "unknown runs",
    ];
    page.table(&header, rows);
}

fn outliers(page: &mut Page, report: &Report) {
    if !report.slowest.is_empty() {
        page.heading("Slowest tasks");
        let rows = report.slowest.iter().map(|task| {
            let cells = [
                escape(&report.task_name(task.func_id, task.task_id)),
                escape(report.core_name(task.core)),
                microseconds(task.start_ns),
                microseconds(task.run_ns),
            ];
            ("", cells.to_vec())
        });
        page.table(&["task", "core", "start µs", "run µs"], rows);
    }
    if !report.gaps.is_empty() {
        page.heading("Longest gaps");
        let rows = report.gaps.iter().map(|gap| {
            let cells = [
                escape(report.core_name(gap.core)),
                microseconds(gap.from_ns),
                microseconds(gap.length_ns),
                task_label(gap.after_task),
                task_label(gap.before_task),
            ];
            ("", cells.to_vec())
        });
        page.table(&["core", "from µs", "length µs", "after", "before"], rows);
    }
}

fn schedulers(page: &mut Page, report: &Report) {
    if report.schedulers.is_empty() {
        return;
    }
    page.heading("AICPU threads: a round of their loop");
    let mean = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1}"));
    let rows = report.schedulers.iter().flat_map(|thread| {
        let own = thread
            .phases
            .iter()
            .map(|phase| (phase.name, phase.own_ns, phase.per_loop_ns));
        let rest = (
            "untracked",
            thread.untracked_ns,
            thread.untracked_per_loop_ns,
        );
        own.chain([rest]).map(|(name, ns, per_loop)| {
            let cells = [
                escape(&thread.name),
                name.to_owned(),
                microseconds(ns),
                per_cent(share(ns, thread.span_ns)),
                mean(per_loop),
            ];
            ("", cells.to_vec())
        })
    });
    page.table(
        &["thread", "phase", "µs", "share of the span", "ns a round"],
        rows,
    );
}

fn pmu(page: &mut Page, report: &Report) {
    let Some(pmu) = &report.pmu else { return };
    page.heading(&format!("Hardware counters: {}", pmu.event_name));
    let rows = pmu.functions.iter().flat_map(|function| {
        function.counters.iter().map(|counter| {
            let cells = [
                escape(&function.name),
                counter.column.to_owned(),
                grouped(counter.sum),
                format!("{:.4}", counter.rate),
                counter.unit.to_owned(),
            ];
            ("", cells.to_vec())
        })
    });
    page.table(&["function", "counter", "sum", "rate", "unit"], rows);
}

fn verdict(page: &mut Page, report: &Report) {
    page.heading("Verdict");
    let Some(verdict) = &report.verdict else {
        page.text("none: the source has none");
        return;
    };
    page.text(&format!(
        "{}: {} of {} records collected",
        verdict.outcome,
        grouped(verdict.collected),
        grouped(verdict.total)
    ));
    for finding in &verdict.findings {
        page.text(finding);
    }
}
