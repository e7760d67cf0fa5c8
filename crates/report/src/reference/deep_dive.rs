//! Where the scheduler's time went: parts of a task's time, of each thread's loop, and how the wait
//! behind a kernel compares with one round of the loop.

use super::device_log::{DeviceLog, PHASES};
use super::statistics::{Statistics, as_double, ratio, share};
use super::{line, rule};
use lanescope_trace::reference::{Document, SchedulerStep, TaskId};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// The place of `dispatch` among the phases.
const DISPATCH: usize = 1;

/// One thread's loop, from the records or from the log.
#[derive(Default)]
struct Loop {
    thread: u64,
    phases_us: [f64; 4],
    total_us: f64,
    completed: u64,
    loops: Option<u64>,
    details: [String; 4],
}

pub(super) fn text(
    out: &mut String,
    document: &Document,
    statistics: &Statistics,
    log: Option<&DeviceLog>,
) {
    rule(out, '=');
    line(out, "Scheduler overhead deep-dive");
    rule(out, '=');
    tasks(out, statistics);
    let of_records = loops_of(document);
    let (source, loops) = match (of_records.is_empty(), log) {
        (true, Some(log)) => ("device log", loops_of_log(log)),
        _ => ("phases of the records", of_records),
    };
    threads(out, source, &loops);
    // A log tells of edges itself, behind its phases.
    if source != "device log" {
        edges(out, document);
    }
    line(out, "");
    tails(out, statistics, &loops);
    rule(out, '=');
}

fn tasks(out: &mut String, statistics: &Statistics) {
    let all = &statistics.all;
    let parts = [
        ("Head OH", all.head.sum),
        ("Exec", all.exec),
        ("Tail OH", all.tail.sum),
    ];
    let sum: f64 = parts.iter().map(|(_, part)| part).sum();
    line(out, "Part 1: time of a task");
    let _ = writeln!(
        out,
        "  Tasks: {},  Wall-clock: {:.2} us (from earliest dispatch to latest finish)",
        all.count,
        statistics.wall_us()
    );
    for (name, part) in parts {
        let _ = writeln!(
            out,
            "  {name:<8} total = {part:>12.2} us,  avg/task = {:>8.2} us,  {:>5.1}%",
            ratio(part, as_double(all.count)),
            share(part, sum),
        );
    }
    line(out, "");
}

fn threads(out: &mut String, source: &str, loops: &[Loop]) {
    let _ = writeln!(
        out,
        "Part 2: loop of each scheduler thread (from the {source})"
    );
    for of_thread in loops {
        let rounds = of_thread
            .loops
            .map_or_else(|| "-".to_owned(), |loops| loops.to_string());
        let _ = writeln!(
            out,
            "  Thread {}: total = {:.2} us,  completed = {},  loops = {rounds}",
            of_thread.thread, of_thread.total_us, of_thread.completed
        );
        for (place, phase) in PHASES.iter().enumerate() {
            let time = of_thread.phases_us[place];
            let text = format!(
                "    {phase:<8} {time:>12.2} us,  {:>5.1}%,  avg/task = {:>8.2} us  {}",
                share(time, of_thread.total_us),
                ratio(time, as_double(of_thread.completed)),
                of_thread.details[place],
            );
            line(out, text.trim_end());
        }
    }
    if loops.is_empty() {
        line(out, "  none: the records have no phases");
    }
}

/// How many edges leave and reach a task.
fn edges(out: &mut String, document: &Document) {
    let mut known = HashSet::new();
    let (mut edges, mut most_out) = (0_u64, 0);
    let mut fanin: HashMap<TaskId, u64> = HashMap::new();
    for row in &document.tasks.rows {
        // Rows of one task have the same edges.
        if !known.insert(row.id()) {
            continue;
        }
        let mut fanout = 0;
        for successor in document.tasks.successors(row) {
            *fanin.entry(successor).or_default() += 1;
            fanout += 1;
        }
        edges += fanout;
        most_out = most_out.max(fanout);
    }
    let most_in = fanin.into_values().max().unwrap_or(0);
    let mean = ratio(as_double(edges), as_double(known.len() as u64));
    for (name, most) in [("fanout", most_out), ("fanin", most_in)] {
        let _ = writeln!(
            out,
            "  {name:<6} edges = {edges},  avg = {mean:.2} a task,  max = {most}"
        );
    }
}

fn tails(out: &mut String, statistics: &Statistics, loops: &[Loop]) {
    line(out, "Part 3: tail OH against one round of the loop");
    let mut shown = Vec::new();
    for percent in [10, 25, 50, 75, 90, 99] {
        if let Some(tail) = statistics.tail_percentile(percent) {
            shown.push(format!("P{percent} = {tail:.2} us"));
        }
    }
    let mean = statistics.all.tail.mean();
    let _ = writeln!(
        out,
        "  Tail OH: mean = {mean:.2} us,  {}",
        shown.join(",  ")
    );
    let known = loops
        .iter()
        .filter_map(|of_thread| Some((of_thread.total_us, of_thread.loops?)));
    let (total, rounds) = known.fold((0.0, 0_u64), |(total, rounds), (us, loops)| {
        (total + us, rounds.saturating_add(loops))
    });
    let round = ratio(total, as_double(rounds));
    let _ = writeln!(
        out,
        "  Loop: avg = {round:.2} us,  loops per tail = {:.2}",
        ratio(mean, round)
    );
    // Idle rounds are no work; of equals the first of these counts.
    let time_in = |phase: &str| {
        let place = PHASES.iter().position(|&known| known == phase);
        let place = place.expect("one of the phases");
        loops
            .iter()
            .map(|of_thread| of_thread.phases_us[place])
            .sum::<f64>()
    };
    let mut dominant = "scan";
    for phase in ["complete", "dispatch"] {
        if time_in(phase) > time_in(dominant) {
            dominant = phase;
        }
    }
    let _ = writeln!(
        out,
        "  Dominant phase: {dominant} ({:.2} us)",
        time_in(dominant)
    );
}

/// The loops that the records tell of; none when they have no phases.
fn loops_of(document: &Document) -> Vec<Loop> {
    let threads = (0_u64..).zip(&document.scheduler);
    let working = threads.filter(|(_, steps)| !steps.is_empty());
    working
        .map(|(thread, steps)| loop_of(thread, steps))
        .collect()
}

fn loop_of(thread: u64, steps: &[SchedulerStep]) -> Loop {
    let mut of_thread = Loop {
        thread,
        ..Loop::default()
    };
    let mut pops: Option<(u64, u64)> = None;
    for step in steps {
        if let Some((hit, miss)) = step.pops {
            let (hits, misses) = pops.unwrap_or_default();
            pops = Some((hits.saturating_add(hit), misses.saturating_add(miss)));
        }
        let Some(place) = PHASES.iter().position(|&phase| phase == step.name()) else {
            continue;
        };
        of_thread.phases_us[place] += step.duration().value.max(0.0);
        if step.name() == "complete" {
            let processed = u64::try_from(step.tasks_processed).unwrap_or(0);
            of_thread.completed = of_thread.completed.saturating_add(processed);
        }
        let round = u64::try_from(step.loop_iter).unwrap_or(0);
        of_thread.loops = of_thread.loops.max(Some(round));
    }
    of_thread.total_us = of_thread.phases_us.iter().sum();
    if let Some((hit, miss)) = pops {
        let rate = share(as_double(hit), as_double(hit) + as_double(miss));
        of_thread.details[DISPATCH] = format!("[pop: hit={hit}, miss={miss}, {rate:.1}%]");
    }
    of_thread
}

fn loops_of_log(log: &DeviceLog) -> Vec<Loop> {
    let threads = log.threads.iter().map(|(&thread, said)| Loop {
        thread: u64::from(thread),
        phases_us: said.phases_us.unwrap_or_default(),
        total_us: said.total_us,
        completed: said.completed,
        loops: said.loops,
        details: said.details.clone(),
    });
    threads.collect()
}
