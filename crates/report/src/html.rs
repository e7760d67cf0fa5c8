//! A report as one page: drawings for what is compared by eye, tables for the numbers.

mod collectors;
mod drawings;

use crate::doubts;
use crate::page::{Page, escape};
use crate::report::{LimitsReport, Report};
use crate::text::{grouped, microseconds, per_cent};
use lanescope_trace::task_label;

const STEPS_LISTED: usize = 20;
/// Tasks in flight; all of them are in the verdict's own file.
const ITEMS_SHOWN: usize = 50;

pub(crate) fn html(report: &Report) -> String {
    let session = &report.session;
    let workload = match session.workload.as_str() {
        "" => "run",
        workload => workload,
    };
    let mut page = Page::new(&format!("{workload} on {}", session.platform));
    facts(&mut page, report);
    drawings::cores(&mut page, report);
    limits(&mut page, report);
    path(&mut page, report);
    functions(&mut page, report);
    outliers(&mut page, report);
    collectors::schedulers(&mut page, report);
    collectors::pmu(&mut page, report);
    collectors::dump(&mut page, report);
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
        page.doubt(&format!("note: {note}"));
    }
    devices(page, report);
}

/// The devices of a merged run, and how sure their clocks are.
fn devices(page: &mut Page, report: &Report) {
    let devices = &report.session.devices;
    if devices.is_empty() {
        return;
    }
    page.heading("Devices");
    let rows = devices.iter().map(|device| {
        let cells = [
            escape(&device.name),
            device.cores.to_string(),
            device.offset_ns.to_string(),
            format!("± {}", grouped(device.uncertainty_ns)),
        ];
        ("", cells.to_vec())
    });
    page.table(
        &["device", "cores", "clock moved by ns", "times in ns"],
        rows,
    );
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
    idle(page, limits);
    for told in doubts::of_limits(limits) {
        page.doubt(&told);
    }
}

/// Core time that stood still, by what there was to do.
fn idle(page: &mut Page, limits: &LimitsReport) {
    let rows = limits.idle.iter().map(|idle| {
        let (beside, without) = (idle.beside_waiting_ns, idle.without_waiting_ns);
        let cells = [
            idle.core_type.to_owned(),
            microseconds(beside),
            microseconds(without),
            per_cent(share(beside, beside.saturating_add(without))),
        ];
        ("", cells.to_vec())
    });
    let header = [
        "cores that ran nothing",
        "µs beside a waiting task",
        "µs with none left",
        "beside a waiting task",
    ];
    page.table(&header, rows);
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
    page.text(&format!(
        "Waits: {} µs until the end before was seen, {} µs until the dispatch, {} µs from dispatch to \
         start, {} µs not known where.",
        microseconds(path.notice_ns),
        microseconds(path.queue_ns),
        microseconds(path.head_ns),
        microseconds(path.unknown_ns),
    ));
    for told in doubts::of_path(path) {
        page.doubt(&told);
    }
    page.raw(&drawings::path(report, path, makespan));
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
            grouped(run.unknown),
            grouped(head.unknown),
            grouped(tail.unknown),
        ];
        ("", cells.to_vec())
    });
    let header = [
        "function",
        "tasks",
        "share",
        "run mean",
        "run p50",
        "run p99",
        "run max",
        "head mean",
        "head p99",
        "tail mean",
        "tail p99",
        "unknown runs",
        "heads",
        "tails",
    ];
    page.table(&header, rows);
    for told in doubts::of_cores(report)
        .into_iter()
        .chain(doubts::of_times(report))
    {
        page.doubt(&told);
    }
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
    stragglers(page, report);
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

fn stragglers(page: &mut Page, report: &Report) {
    let functions = report.functions.iter();
    let with_some = functions.filter(|function| function.stragglers.count > 0);
    let with_some: Vec<_> = with_some.collect();
    if with_some.is_empty() {
        return;
    }
    page.heading("Stragglers: more than twice the median of their function");
    let rows = with_some.into_iter().map(|function| {
        let stragglers = &function.stragglers;
        let known = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), microseconds);
        let worst = stragglers.worst_task;
        let cells = [
            escape(&function.name),
            grouped(stragglers.count),
            microseconds(stragglers.excess_ns),
            worst.map_or_else(|| "-".to_owned(), task_label),
            known(function.run.max_ns),
            known(function.run.p50_ns),
        ];
        ("", cells.to_vec())
    });
    let header = [
        "function",
        "stragglers",
        "excess µs",
        "worst",
        "its run µs",
        "median µs",
    ];
    page.table(&header, rows);
}

fn verdict(page: &mut Page, report: &Report) {
    page.heading("Verdict");
    let Some(verdict) = &report.verdict else {
        page.text("none: the source has none");
        return;
    };
    page.text(&doubts::verdict(verdict));
    for finding in &verdict.findings {
        page.doubt(finding);
    }
    for task in verdict.in_flight.iter().take(ITEMS_SHOWN) {
        page.doubt(&format!("in flight: {task}"));
    }
    let more = verdict.in_flight.len().saturating_sub(ITEMS_SHOWN);
    if more > 0 {
        page.doubt(&format!("in flight: {} more", grouped(more as u64)));
    }
}
