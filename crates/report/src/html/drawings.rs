//! What is compared by eye: a bar for each core, and the critical path along the makespan.

use super::share;
use crate::page::{Page, escape};
use crate::report::{PartsReport, PathReport, Report};
use crate::text::{grouped, microseconds, per_cent};
use std::fmt::Write;

/// Width of a drawing in its own units.
const WIDTH: u32 = 1000;
/// Steps of the path that are drawn one by one; of a longer path every so many-th stands for its run.
const STEPS_DRAWN: usize = 2000;
const PARTS: [(&str, &str); 6] = [
    ("run", "run"),
    ("head", "head wait"),
    ("tail", "tail wait"),
    ("starved", "starved"),
    ("blocked", "blocked"),
    ("unknown", "unknown"),
];

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
pub(super) fn cores(page: &mut Page, report: &Report) {
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

/// Runs and waits of the path along the makespan.
pub(super) fn path(report: &Report, path: &PathReport, makespan: u64) -> String {
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
