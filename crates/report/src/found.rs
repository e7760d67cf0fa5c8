//! What was found in ticks, as a report tells it: in nanoseconds, with names.

use crate::limits::{Limits, place};
use crate::measure::Scale;
use crate::occupation::{Gap, Parts};
use crate::path::{CriticalPath, PathStep};
use crate::ranking::Ranking;
use crate::report::{
    GapReport, IdleReport, LimitsReport, PartsReport, PathFunction, PathReport, PathStepReport,
    SlowTask,
};
use lanescope_trace::{CoreType, Session, Task, Trace};
use std::collections::BTreeMap;

pub(crate) fn parts(parts: &Parts, scale: Scale) -> PartsReport {
    let ns = |ticks: u64| scale.nanoseconds(ticks.into());
    PartsReport {
        run_ns: ns(parts.run),
        head_wait_ns: ns(parts.head_wait),
        tail_wait_ns: ns(parts.tail_wait),
        starved_ns: ns(parts.starved),
        blocked_ns: ns(parts.blocked),
        unknown_ns: ns(parts.unknown),
    }
}

pub(crate) fn limits(
    limits: &Limits,
    session: &Session,
    lost_rows: u64,
    scale: Scale,
) -> LimitsReport {
    let ns = |ticks: u64| scale.nanoseconds(ticks.into());
    let has = |core_type: &CoreType| {
        let mut cores = session.cores.iter();
        cores.any(|core| core.core_type == *core_type)
    };
    let idle = CoreType::ALL.into_iter().filter(has).map(|core_type| {
        let idle = &limits.idle[place(core_type)];
        IdleReport {
            core_type: core_type.name(),
            beside_waiting_ns: scale.nanoseconds(idle.beside_waiting),
            without_waiting_ns: scale.nanoseconds(idle.without_waiting),
        }
    });
    LimitsReport {
        dependencies_ns: ns(limits.dependencies),
        cores_ns: ns(limits.cores),
        scheduler_ns: ns(limits.scheduler),
        nothing_ran_ns: ns(limits.nothing_ran),
        unknown_rows: limits.unknown,
        lost_rows,
        idle: idle.collect(),
    }
}

pub(crate) fn path(path: &CriticalPath, trace: &Trace, first: u64, scale: Scale) -> PathReport {
    let ns = |ticks: u64| scale.nanoseconds(ticks.into());
    let sum = |pick: fn(&PathStep) -> u64| {
        let ticks = path.steps.iter().map(|step| u128::from(pick(step)));
        scale.nanoseconds(ticks.sum())
    };
    let steps = path.steps.iter().map(|step| PathStepReport {
        task_id: step.task.task_id,
        func_id: step.task.func_id,
        core: step.task.core.into(),
        start_ns: ns(step.task.start_ticks - first),
        run_ns: ns(run_ticks(step)),
        notice_ns: ns(step.wait.notice_ticks),
        queue_ns: ns(step.wait.queue_ticks),
        head_ns: ns(step.wait.head_ticks),
        unknown_ns: ns(step.wait.unknown_ticks),
    });
    PathReport {
        run_ns: sum(run_ticks),
        wait_ns: sum(|step| step.wait.ticks()),
        notice_ns: sum(|step| step.wait.notice_ticks),
        queue_ns: sum(|step| step.wait.queue_ticks),
        head_ns: sum(|step| step.wait.head_ticks),
        unknown_ns: sum(|step| step.wait.unknown_ticks),
        tail_ns: ns(path.tail_ticks),
        floor_ns: ns(path.floor_ticks),
        in_circles: path.in_circles,
        backward_edges: path.backward_edges,
        dangling_edges: path.dangling_edges,
        functions: path_functions(path, trace, scale),
        steps: steps.collect(),
    }
}

fn run_ticks(step: &PathStep) -> u64 {
    step.task.end_ticks - step.task.start_ticks
}

fn path_functions(path: &CriticalPath, trace: &Trace, scale: Scale) -> Vec<PathFunction> {
    let mut sums: BTreeMap<u32, (u64, u128, u128)> = BTreeMap::new();
    for step in &path.steps {
        let (steps, run, wait) = sums.entry(step.task.func_id).or_default();
        *steps += 1;
        *run += u128::from(run_ticks(step));
        *wait += u128::from(step.wait.ticks());
    }
    let functions = sums.into_iter();
    let functions = functions.map(|(func_id, (steps, run, wait))| PathFunction {
        func_id,
        name: trace.functions().label(func_id).into_owned(),
        steps,
        run_ns: scale.nanoseconds(run),
        wait_ns: scale.nanoseconds(wait),
    });
    let mut functions: Vec<_> = functions.collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.run_ns + function.wait_ns));
    functions
}

pub(crate) fn slowest(slowest: Ranking<Task>, first: u64, scale: Scale) -> Vec<SlowTask> {
    let tasks = slowest.into_items().map(|(run, task)| SlowTask {
        task_id: task.task_id,
        func_id: task.func_id,
        core: task.core.into(),
        start_ns: scale.nanoseconds((task.start_ticks - first).into()),
        run_ns: scale.nanoseconds(run.into()),
    });
    tasks.collect()
}

pub(crate) fn gaps(gaps: Ranking<Gap>, first: u64, scale: Scale) -> Vec<GapReport> {
    let gaps = gaps.into_items().map(|(length, gap)| GapReport {
        core: gap.core.into(),
        from_ns: scale.nanoseconds((gap.from_ticks - first).into()),
        length_ns: scale.nanoseconds(length.into()),
        after_task: gap.after_task,
        before_task: gap.before_task,
    });
    gaps.collect()
}
