//! Scheduler phases, hardware counters and tensors.

use super::share;
use crate::doubts;
use crate::page::{Page, escape};
use crate::report::Report;
use crate::text::{grouped, microseconds, per_cent};

pub(super) fn schedulers(page: &mut Page, report: &Report) {
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
    for told in doubts::of_schedulers(&report.schedulers) {
        page.doubt(&told);
    }
}

pub(super) fn pmu(page: &mut Page, report: &Report) {
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
    for told in doubts::of_pmu(pmu) {
        page.doubt(&told);
    }
}

pub(super) fn dump(page: &mut Page, report: &Report) {
    let Some(dump) = &report.dump else { return };
    page.heading("Tensors");
    let counts = [
        ("tensors", dump.tensors),
        ("before dispatch", dump.before_dispatch),
        ("after completion", dump.after_completion),
        ("bytes kept", dump.bytes),
        ("bytes of the whole tensors", dump.tensor_bytes),
        ("truncated", dump.truncated),
        ("overwritten before they were copied", dump.overwritten),
    ];
    let rows = counts.map(|(what, count)| ("", vec![what.to_owned(), grouped(count)]));
    page.table(&["what", "count"], rows.into_iter());
}
