//! Random runs against a model that looks at every tick.

use super::{Row, trace};
use lanescope_report::{CriticalPath, PartsReport, Report};
use lanescope_trace::CoreType;
use proptest::prelude::*;

const CORES: [CoreType; 3] = [CoreType::Aic, CoreType::Aic, CoreType::Aiv];

/// A task of a made-up run: core, waits before dispatch, start and finish, run time, producers.
type Given = (u16, [u64; 4], Vec<u32>);

fn given() -> impl Strategy<Value = Vec<Given>> {
    let times = [0..9_u64, 0..6, 0..12, 0..7];
    let producers = prop::collection::vec(0..20_u32, 0..3);
    prop::collection::vec((0..3_u16, times, producers), 1..20)
}

/// A run in which every task starts after its producers and after the one before it on its core.
fn scheduled(given: &[Given]) -> (Vec<Row>, Vec<(u32, u32)>) {
    let (mut rows, mut edges): (Vec<Row>, Vec<(u32, u32)>) = (Vec::new(), Vec::new());
    let mut free = [100_u64; 3];
    for (id, (core, [late, head, run, tail], producers)) in (0..).zip(given) {
        let mut ready = 100;
        for producer in producers {
            if *producer < id {
                edges.push((*producer, id));
                ready = ready.max(rows[*producer as usize].2[2]);
            }
        }
        let core_free = &mut free[usize::from(*core)];
        let dispatch = ready + late;
        let start = (dispatch + head).max(*core_free);
        let end = start + run;
        *core_free = end;
        rows.push((u64::from(id), *core, [dispatch, start, end, end + tail]));
    }
    (rows, edges)
}

fn makespan(rows: &[Row]) -> (u64, u64) {
    let times = || {
        rows.iter()
            .flat_map(|row| row.2)
            .filter(|&ticks| ticks != 0)
    };
    (times().min().unwrap_or(0), times().max().unwrap_or(0))
}

/// What a core did, tick by tick; all times known and no overlap.
fn parts_of(rows: &[Row], core: u16) -> PartsReport {
    let (first, last) = makespan(rows);
    let mut own: Vec<[u64; 4]> = rows
        .iter()
        .filter(|row| row.1 == core)
        .map(|row| row.2)
        .collect();
    own.sort_by_key(|times| times[1]);
    let mut parts = PartsReport::default();
    for tick in first..last {
        let started = own.iter().rposition(|times| times[1] <= tick);
        let next = own.iter().find(|times| times[1] > tick);
        let before = started.map_or(&[][..], |last| &own[..=last]);
        if before.iter().any(|times| tick < times[2]) {
            parts.run_ns += 1;
        } else if next.is_some_and(|times| times[0] <= tick) {
            parts.head_wait_ns += 1;
        } else if before.iter().any(|times| tick < times[3]) {
            parts.tail_wait_ns += 1;
        } else {
            parts.starved_ns += 1;
        }
    }
    parts
}

/// Ticks limited by dependencies, cores and scheduler.
fn limits_of(rows: &[Row], edges: &[(u32, u32)]) -> [u64; 3] {
    let (first, last) = makespan(rows);
    let mut limits = [0; 3];
    for tick in first..last {
        let (mut runs, mut waits, mut free_beside) = (false, false, false);
        for core_type in [CoreType::Aic, CoreType::Aiv] {
            let of_type = |row: &&Row| CORES[usize::from(row.1)] == core_type;
            let cores = CORES.iter().filter(|&&kind| kind == core_type).count();
            let is_running = |row: &&Row| row.2[1] <= tick && tick < row.2[2];
            let running = rows.iter().filter(of_type).filter(is_running).count();
            let is_waiting = |row: &&Row| {
                let mut producers = edges.iter().filter(|(_, to)| u64::from(*to) == row.0);
                producers.all(|(from, _)| rows[*from as usize].2[2] <= tick) && tick < row.2[1]
            };
            let waiting = rows.iter().filter(of_type).any(|row| is_waiting(&row));
            runs |= running > 0;
            waits |= waiting;
            free_beside |= waiting && running < cores;
        }
        let limit = match (free_beside || !waits && !runs, waits) {
            (true, _) => 2,
            (_, true) => 1,
            _ => 0,
        };
        limits[limit] += 1;
    }
    limits
}

fn floor_of(rows: &[Row], edges: &[(u32, u32)]) -> u64 {
    let mut chains: Vec<u64> = Vec::new();
    for (id, row) in (0..).zip(rows) {
        let producers = edges.iter().filter(|(_, to)| *to == id);
        let before = producers.map(|(from, _)| chains[*from as usize]).max();
        chains.push(before.unwrap_or(0) + row.2[2] - row.2[1]);
    }
    chains.into_iter().max().unwrap_or(0)
}

fn sum(parts: &PartsReport) -> u64 {
    parts.run_ns
        + parts.head_wait_ns
        + parts.tail_wait_ns
        + parts.starved_ns
        + parts.blocked_ns
        + parts.unknown_ns
}

proptest! {
    #[test]
    fn a_run_is_what_the_model_says(given in given()) {
        let (rows, edges) = scheduled(&given);
        let trace = trace(&CORES, &rows, &edges);
        let report = Report::of(&trace);
        let (first, last) = makespan(&rows);
        prop_assert_eq!(report.makespan_ns, Some(last - first));
        for core in 0..3 {
            prop_assert_eq!(report.cores[usize::from(core)].parts, parts_of(&rows, core));
        }
        prop_assert_eq!(report.limits.is_some(), !edges.is_empty());
        prop_assert_eq!(CriticalPath::of(&trace).is_some(), !edges.is_empty());
        if let Some(limits) = &report.limits {
            let found = [limits.dependencies_ns, limits.cores_ns, limits.scheduler_ns];
            prop_assert_eq!(found, limits_of(&rows, &edges));
        }
        if let Some(path) = CriticalPath::of(&trace) {
            prop_assert_eq!(path.floor_ticks, floor_of(&rows, &edges));
            let mut whole = path.tail_ticks;
            for pair in path.steps.windows(2) {
                let [from, to] = [pair[0].task, pair[1].task];
                let producers = edges.iter().filter(|(_, consumer)| u64::from(*consumer) == to.task_id);
                let latest = producers.map(|(producer, _)| rows[*producer as usize].2[2]).max();
                prop_assert_eq!(Some(from.end_ticks), latest);
            }
            for step in &path.steps {
                whole += step.wait.ticks() + step.task.end_ticks - step.task.start_ticks;
            }
            prop_assert_eq!(whole, last - first);
            prop_assert!(path.floor_ticks <= last - first);
        }
    }

    /// Short runs are told in fewer bits than long ones.
    #[test]
    fn a_run_that_takes_longer_is_told_alike(given in given()) {
        let (rows, edges) = scheduled(&given);
        let times_longer = |times: u64| {
            let rows = rows.iter().map(|&(id, core, ticks)| (id, core, ticks.map(|at| at * times)));
            let trace = trace(&CORES, &rows.collect::<Vec<_>>(), &edges);
            let (limits, path) = (Report::of(&trace).limits, CriticalPath::of(&trace));
            let limits = limits.map(|limits| {
                [limits.dependencies_ns, limits.cores_ns, limits.scheduler_ns, limits.nothing_ran_ns]
            });
            let path = path.map(|path| {
                let steps = path.steps.iter().map(|step| (step.task.task_id, step.wait.ticks() / times));
                (path.floor_ticks / times, path.tail_ticks / times, steps.collect::<Vec<_>>())
            });
            (limits.map(|limits| limits.map(|ns| ns / times)), path)
        };
        let short = times_longer(1);
        for times in [1 << 30, 1 << 50] {
            prop_assert_eq!(&times_longer(times), &short);
        }
    }

    #[test]
    fn parts_add_up_whatever_the_rows_say(
        rows in prop::collection::vec((0..9_u64, 0..3_u16, [0..50_u64, 0..50, 0..50, 0..50]), 1..20),
        edges in prop::collection::vec((0..9_u32, 0..9_u32), 0..20),
    ) {
        let trace = trace(&CORES, &rows, &edges);
        let report = Report::of(&trace);
        let makespan = report.makespan_ns.unwrap_or(0);
        for core in &report.cores {
            prop_assert_eq!(sum(&core.parts), makespan);
        }
        if let Some(limits) = &report.limits {
            let sum = limits.dependencies_ns + limits.cores_ns + limits.scheduler_ns;
            prop_assert_eq!(sum, makespan);
        }
        if let Some(path) = &report.critical_path {
            prop_assert_eq!(path.run_ns + path.wait_ns + path.tail_ns, makespan);
            let longest = report.slowest.first().map_or(0, |task| task.run_ns);
            prop_assert!(path.floor_ns >= path.run_ns.max(longest));
            prop_assert!(path.floor_ns <= makespan);
        }
    }
}
