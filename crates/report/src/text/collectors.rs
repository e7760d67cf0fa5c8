//! Scheduler phases, hardware counters and tensors as text.

use super::{add_row, grouped, line, microseconds, per_cent, plain_table, section};
use crate::doubts;
use crate::report::{DumpReport, PmuCounterReport, PmuReport, SchedulerReport};

pub(super) fn schedulers(out: &mut String, schedulers: &[SchedulerReport]) {
    if schedulers.is_empty() {
        return;
    }
    let mut names: Vec<&str> = Vec::new();
    for phase in schedulers.iter().flat_map(|scheduler| &scheduler.phases) {
        if !names.contains(&phase.name) {
            names.push(phase.name);
        }
    }
    let mut header = vec!["thread", "span µs"];
    header.extend(&names);
    header.extend(["loops", "completed", "per loop", "dispatched", "pop hits"]);
    let mut table = plain_table(&header);
    for scheduler in schedulers {
        let share = |name: &&str| {
            let mut phases = scheduler.phases.iter();
            let phase = phases.find(|phase| phase.name == *name);
            phase.map_or_else(|| "-".to_owned(), |phase| per_cent(phase.share))
        };
        let mut cells = vec![scheduler.name.clone(), microseconds(scheduler.span_ns)];
        cells.extend(names.iter().map(share));
        cells.extend([
            grouped(scheduler.loops),
            grouped(scheduler.completed),
            format!("{:.3}", scheduler.completed_per_loop),
            grouped(scheduler.dispatched),
            scheduler
                .pop_hit_rate
                .map_or_else(|| "-".to_owned(), per_cent),
        ]);
        add_row(&mut table, &cells);
    }
    let title = "AICPU threads: time by phase (blocked overlaps the others)";
    section(out, title, &table);
    budget(out, schedulers, &names);
    for told in doubts::of_schedulers(schedulers) {
        line(out, &told);
    }
}

/// A round of each thread's loop, and what of it each phase takes.
fn budget(out: &mut String, schedulers: &[SchedulerReport], names: &[&str]) {
    let mut header = vec!["thread", "loop ns"];
    header.extend(names);
    header.extend(["untracked", "work a task"]);
    let mut table = plain_table(&header);
    let mean = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.1}"));
    for scheduler in schedulers {
        let mut cells = vec![scheduler.name.clone(), mean(scheduler.loop_ns)];
        cells.extend(names.iter().map(|name| {
            let mut phases = scheduler.phases.iter();
            let phase = phases.find(|phase| phase.name == *name);
            mean(phase.and_then(|phase| phase.per_loop_ns))
        }));
        cells.push(mean(scheduler.untracked_per_loop_ns));
        cells.push(mean(scheduler.per_task_ns));
        add_row(&mut table, &cells);
    }
    let title = "A round of their loop in ns, waits apart; complete and dispatch for each task";
    section(out, title, &table);
}

pub(super) fn pmu(out: &mut String, pmu: Option<&PmuReport>) {
    let Some(pmu) = pmu else { return };
    let columns = pmu
        .functions
        .first()
        .map_or(&[][..], |first| &first.counters);
    let mut header = vec![
        "function".to_owned(),
        "tasks".to_owned(),
        "cycles".to_owned(),
    ];
    header.extend(columns.iter().map(heading));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = plain_table(&header);
    for function in &pmu.functions {
        let mut cells = vec![
            function.name.clone(),
            grouped(function.rows),
            grouped(function.cycles),
        ];
        cells.extend(function.counters.iter().map(rate));
        add_row(&mut table, &cells);
    }
    let title = format!(
        "Hardware counters: event type {} ({}) over cycles; % busy, B bytes a cycle, k events in 1000",
        pmu.event, pmu.event_name
    );
    section(out, &title, &table);
    for told in doubts::of_pmu(pmu) {
        line(out, &told);
    }
}

/// The column's name without what all of them end in.
fn heading(counter: &PmuCounterReport) -> String {
    let name = counter.column.trim_end_matches("_cycles");
    name.to_owned()
}

fn rate(counter: &PmuCounterReport) -> String {
    match counter.unit {
        "utilisation" => per_cent(counter.rate),
        "bytes per cycle" => format!("{:.2} B", counter.rate),
        _ => format!("{:.2} k", counter.rate),
    }
}

pub(super) fn dump(out: &mut String, dump: Option<&DumpReport>) {
    let Some(dump) = dump else { return };
    line(out, "");
    line(
        out,
        &format!(
            "Tensors: {} with {} bytes, {} before dispatch and {} after completion",
            grouped(dump.tensors),
            grouped(dump.bytes),
            grouped(dump.before_dispatch),
            grouped(dump.after_completion),
        ),
    );
    if dump.truncated > 0 {
        let missing = dump.tensor_bytes.saturating_sub(dump.bytes);
        let (truncated, missing) = (grouped(dump.truncated), grouped(missing));
        line(
            out,
            &format!("  {truncated} truncated, {missing} bytes left out"),
        );
    }
    if dump.overwritten > 0 {
        let overwritten = grouped(dump.overwritten);
        line(
            out,
            &format!("  {overwritten} overwritten before they were copied"),
        );
    }
}
