//! One pass over the tasks, then the quantiles; beside it, where there are edges, what these say.

use crate::column::Column;
use crate::held_up::{Wanted, held_up};
use crate::occupation::{Occupation, Parts};
use crate::ranking::Ranking;
use crate::report::{
    CoreReport, CoreTypeReport, DeviceReport, FunctionReport, PartsReport, Report, SCHEMA,
    SessionReport, Spread, Stragglers, VerdictReport,
};
use crate::threads::joined;
use crate::{collectors, found};
use lanescope_trace::{CoreType, DeviceInfo, Session, Task, Trace, Verdict};
use std::collections::HashMap;

pub(crate) fn measure(trace: &Trace, progress: impl FnMut(u64)) -> Report {
    let scale = Scale {
        ticks_per_second: trace.session().ticks_per_second.max(1),
    };
    let ((told, lost_rows), (limits, critical_path)) = std::thread::scope(|scope| {
        // The two share nothing, and each is half of the work.
        let held_up = (!trace.edges().is_empty())
            .then(|| scope.spawn(|| held_up(trace, Wanted::PathAndLimits)));
        let told = told(trace, scale, progress);
        (told, held_up.map_or((None, None), joined))
    });
    let first = trace.task_bounds_ticks().map_or(0, |(first, _)| first);
    Report {
        limits: limits.map(|limits| found::limits(&limits, trace.session(), lost_rows, scale)),
        critical_path: critical_path.map(|path| found::path(&path, trace, first, scale)),
        ..told
    }
}

/// What the rows say one by one, all but what the edges say; and how many rows are missing.
fn told(trace: &Trace, scale: Scale, progress: impl FnMut(u64)) -> (Report, u64) {
    let mut tally = Tally::new(trace);
    tally.tasks(trace, progress);
    let bounds = trace.task_bounds_ticks();
    let makespan = bounds.map(|(first, last)| last - first);
    let first = bounds.map_or(0, |(first, _)| first);
    let lost_rows = tally.occupation.lost();
    let (parts, gaps) = match bounds {
        Some(bounds) => tally.occupation.end(bounds),
        None => (vec![Parts::default(); tally.cores.len()], Ranking::new()),
    };
    let session = trace.session();
    let cores = core_reports(session, &tally.cores, &parts, makespan, scale);
    let report = Report {
        schema: SCHEMA,
        session: session_report(trace),
        verdict: trace
            .verdict()
            .map(|verdict| verdict_report(verdict, scale)),
        makespan_ns: makespan.map(|ticks| scale.nanoseconds(ticks.into())),
        core_types: core_type_reports(session, &tally.cores, &parts, &cores, scale),
        functions: function_reports(trace, tally.functions, scale),
        cores,
        limits: None,
        critical_path: None,
        slowest: found::slowest(tally.slowest, first, scale),
        gaps: found::gaps(gaps, first, scale),
        schedulers: collectors::schedulers(trace, scale),
        pmu: collectors::pmu(trace),
        dump: collectors::dump(trace),
        notes: trace
            .notes()
            .iter()
            .map(|note| format!("{} {}", note.count, note.text))
            .collect(),
    };
    (report, lost_rows)
}

/// What one pass over the tasks finds.
struct Tally {
    functions: Vec<FunctionTally>,
    /// Where the functions with small ids are; most have small ids.
    small_ids: Vec<u32>,
    large_ids: HashMap<u32, u32>,
    cores: Vec<CoreTally>,
    occupation: Occupation,
    slowest: Ranking<Task>,
}

#[derive(Default)]
struct FunctionTally {
    func_id: u32,
    count: u64,
    run: Column,
    head_wait: Column,
    tail_wait: Column,
    longest: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Default)]
struct CoreTally {
    tasks: u64,
    busy: u64,
}

/// Function ids below this are found by index.
const SMALL_IDS: usize = 1 << 16;
const NO_PLACE: u32 = u32::MAX;
/// Tasks between two calls of the progress function.
const PROGRESS_TASKS: u64 = 1 << 18;

impl Tally {
    fn new(trace: &Trace) -> Self {
        Self {
            functions: Vec::new(),
            small_ids: Vec::new(),
            large_ids: HashMap::new(),
            cores: vec![CoreTally::default(); trace.session().cores.len()],
            occupation: Occupation::new(trace),
            slowest: Ranking::new(),
        }
    }

    fn tasks(&mut self, trace: &Trace, mut progress: impl FnMut(u64)) {
        let mut done = 0;
        for task in trace.tasks() {
            self.task(&task);
            done += 1;
            if done % PROGRESS_TASKS == 0 {
                progress(done);
            }
        }
    }

    #[inline]
    fn task(&mut self, task: &Task) {
        let run = task.run_ticks();
        let core = &mut self.cores[usize::from(task.core)];
        core.tasks += 1;
        core.busy = core.busy.saturating_add(run.unwrap_or(0));
        self.occupation.row(task);
        if let Some(run) = run {
            self.slowest.offer(run, *task);
        }
        let function = self.function(task.func_id);
        function.count += 1;
        if run > function.longest.map(|(longest, _)| longest) {
            function.longest = run.map(|run| (run, task.task_id));
        }
        function.run.add(run);
        function.head_wait.add(task.head_wait_ticks());
        function.tail_wait.add(task.tail_wait_ticks());
    }

    #[inline]
    fn function(&mut self, func_id: u32) -> &mut FunctionTally {
        let known = match self.small_ids.get(func_id as usize) {
            Some(&place) => place,
            None => self.large_ids.get(&func_id).copied().unwrap_or(NO_PLACE),
        };
        let place = match known {
            NO_PLACE => self.add_function(func_id),
            place => place,
        };
        &mut self.functions[place as usize]
    }

    #[cold]
    fn add_function(&mut self, func_id: u32) -> u32 {
        let place = u32::try_from(self.functions.len()).expect("fewer functions than ids");
        self.functions.push(FunctionTally {
            func_id,
            ..FunctionTally::default()
        });
        let index = func_id as usize;
        if index >= SMALL_IDS {
            self.large_ids.insert(func_id, place);
            return place;
        }
        if index >= self.small_ids.len() {
            self.small_ids.resize(index + 1, NO_PLACE);
        }
        self.small_ids[index] = place;
        place
    }
}

/// How ticks become nanoseconds: rounded down once, at the end.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    ticks_per_second: u64,
}

impl Scale {
    pub(crate) fn nanoseconds(self, ticks: u128) -> u64 {
        let ns = ticks.saturating_mul(1_000_000_000) / u128::from(self.ticks_per_second);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean has no exact form")]
    pub(crate) fn mean_nanoseconds(self, sum: u128, count: u64) -> Option<f64> {
        let ticks = (count > 0).then(|| sum as f64 / count as f64)?;
        Some(ticks * 1e9 / self.ticks_per_second as f64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio has no exact form")]
pub(crate) fn ratio(part: u128, whole: u128) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

fn spread(mut column: Column, scale: Scale) -> Spread {
    let mut quantile = |per_cent| {
        let ticks = column.quantile(per_cent)?;
        Some(scale.nanoseconds(ticks.into()))
    };
    let (p50_ns, p99_ns, max_ns) = (quantile(50), quantile(99), quantile(100));
    Spread {
        known: column.known(),
        unknown: column.unknown(),
        sum_ns: scale.nanoseconds(column.sum()),
        mean_ns: scale.mean_nanoseconds(column.sum(), column.known()),
        p50_ns,
        p99_ns,
        max_ns,
    }
}

fn function_reports(
    trace: &Trace,
    mut functions: Vec<FunctionTally>,
    scale: Scale,
) -> Vec<FunctionReport> {
    functions.sort_by_key(|function| function.func_id);
    let all: u128 = functions.iter().map(|function| function.run.sum()).sum();
    let report = |mut function: FunctionTally| FunctionReport {
        func_id: function.func_id,
        name: trace.functions().label(function.func_id).into_owned(),
        count: function.count,
        share: ratio(function.run.sum(), all),
        stragglers: stragglers(&mut function, scale),
        run: spread(function.run, scale),
        head_wait: spread(function.head_wait, scale),
        tail_wait: spread(function.tail_wait, scale),
    };
    functions.into_iter().map(report).collect()
}

/// Those that ran more than twice as long as the median.
fn stragglers(function: &mut FunctionTally, scale: Scale) -> Stragglers {
    let Some(median) = function.run.quantile(50) else {
        return Stragglers::default();
    };
    let limit = median.saturating_mul(2);
    let (count, sum) = function.run.above(limit);
    let excess = sum - u128::from(count) * u128::from(median);
    let worst = function.longest.filter(|&(run, _)| run > limit);
    Stragglers {
        count,
        excess_ns: scale.nanoseconds(excess),
        worst_task: worst.map(|(_, task_id)| task_id),
    }
}

fn core_reports(
    session: &Session,
    tallies: &[CoreTally],
    parts: &[Parts],
    makespan: Option<u64>,
    scale: Scale,
) -> Vec<CoreReport> {
    let cores = (0..).zip(&session.cores).zip(tallies).zip(parts);
    cores
        .map(|(((core, facts), tally), parts)| CoreReport {
            core,
            name: session.core_name(core as usize),
            thread: facts.thread,
            tasks: tally.tasks,
            busy_ns: scale.nanoseconds(tally.busy.into()),
            utilisation: ratio(tally.busy.into(), makespan.unwrap_or(0).into()),
            parts: found::parts(parts, scale),
        })
        .collect()
}

fn core_type_reports(
    session: &Session,
    tallies: &[CoreTally],
    parts: &[Parts],
    cores: &[CoreReport],
    scale: Scale,
) -> Vec<CoreTypeReport> {
    let mut reports = Vec::new();
    for core_type in CoreType::ALL {
        let mut report = CoreTypeReport {
            core_type: core_type.name(),
            cores: 0,
            used: 0,
            tasks: 0,
            busy_ns: 0,
            utilisation: 0.0,
            least: f64::INFINITY,
            most: 0.0,
            parts: PartsReport::default(),
        };
        let (mut busy, mut all) = (0_u128, Parts::default());
        let rows = session.cores.iter().zip(tallies).zip(parts).zip(cores);
        for (((facts, tally), parts), core) in rows {
            if facts.core_type != core_type {
                continue;
            }
            report.cores += 1;
            report.used += u64::from(tally.tasks > 0);
            report.tasks += tally.tasks;
            report.utilisation += core.utilisation;
            report.least = report.least.min(core.utilisation);
            report.most = report.most.max(core.utilisation);
            busy += u128::from(tally.busy);
            all.add(parts);
        }
        if report.cores > 0 {
            report.busy_ns = scale.nanoseconds(busy);
            report.parts = found::parts(&all, scale);
            #[expect(clippy::cast_precision_loss, reason = "far fewer cores than 2^53")]
            let cores = report.cores as f64;
            report.utilisation /= cores;
            reports.push(report);
        }
    }
    reports
}

fn session_report(trace: &Trace) -> SessionReport {
    let session = trace.session();
    SessionReport {
        platform: session.platform.clone(),
        workload: session.workload.clone(),
        ticks_per_second: session.ticks_per_second,
        tasks: trace.task_count(),
        edges: trace.edges().len() as u64,
        aicpu_threads: session.threads,
        swimlane_level: session.level,
        ring_size: session.ring_size,
        issue_depth: session.issue_depth,
        seed: session.seed,
        host: session.host.clone(),
        device: session.device,
        devices: session.devices.iter().map(device_report).collect(),
    }
}

fn device_report(device: &DeviceInfo) -> DeviceReport {
    DeviceReport {
        name: device.name.clone(),
        cores: device.cores,
        offset_ns: device.offset_ns,
        uncertainty_ns: device.uncertainty_ns,
    }
}

fn verdict_report(verdict: &Verdict, scale: Scale) -> VerdictReport {
    let blocked = verdict
        .lanes
        .iter()
        .map(|lane| u128::from(lane.blocked_ticks));
    let waits = verdict.lanes.iter().map(|lane| lane.waits);
    VerdictReport {
        outcome: verdict.outcome.name(),
        expected_tasks: verdict.expected_tasks,
        dispatched: verdict.dispatched,
        total: verdict.totals.total,
        collected: verdict.totals.collected,
        dropped: verdict.totals.dropped.sum(),
        mismatched: verdict.totals.mismatched,
        abandoned: verdict.abandoned.len() as u64,
        in_flight: verdict.abandoned.iter().map(ToString::to_string).collect(),
        waits: waits.fold(0, u64::saturating_add),
        blocked_ns: scale.nanoseconds(blocked.sum()),
        findings: verdict
            .findings
            .iter()
            .map(|finding| finding.text.clone())
            .collect(),
    }
}
