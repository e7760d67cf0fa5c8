//! What the collectors beside the swimlane say: scheduler phases, hardware counters, tensors.

use crate::measure::{Scale, ratio};
use crate::occupation::Stretches;
use crate::report::{
    DumpReport, PhaseReport, PmuCounterReport, PmuFunctionReport, PmuReport, SchedulerReport,
};
use lanescope_trace::{
    Chip, FindingKind, PMU_COUNTERS, PmuEvent, PmuUnit, Role, SchedulerPhase, Stage, Trace,
};
use std::collections::BTreeMap;

/// A row for each AICPU thread that has scheduler phases.
pub(crate) fn schedulers(trace: &Trace, scale: Scale) -> Vec<SchedulerReport> {
    let threads = trace.threads();
    threads
        .filter_map(|thread| scheduler(trace, thread, scale))
        .collect()
}

#[derive(Clone, Copy, Default)]
struct PhaseTally {
    count: u64,
    ticks: u128,
}

fn scheduler(trace: &Trace, thread: u32, scale: Scale) -> Option<SchedulerReport> {
    let mut tallies = [PhaseTally::default(); SchedulerPhase::NAMES.len()];
    let (mut loops, mut completed, mut dispatched) = (0, 0_u64, 0_u64);
    let (mut hits, mut misses) = (0_u64, 0_u64);
    let mut bounds: Option<(u64, u64)> = None;
    let mut unknown = 0;
    for phase in trace.scheduler_phases(thread) {
        let Some(tally) = tallies.get_mut(phase.phase as usize) else {
            continue;
        };
        let (start, end) = (phase.start_ticks, phase.end_ticks);
        tally.count += 1;
        if has_times(&phase) {
            tally.ticks += u128::from(end - start);
            let (first, last) = bounds.unwrap_or((start, end));
            bounds = Some((first.min(start), last.max(end)));
        } else {
            unknown += 1;
        }
        let rounds = match phase.phase {
            // Lies inside another phase.
            SchedulerPhase::BLOCKED => 1,
            _ => phase.rounds.max(1),
        };
        // Rounds count from 1.
        loops = loops.max(phase.loop_iter.saturating_add(rounds - 1));
        match phase.phase {
            SchedulerPhase::COMPLETE => {
                completed = completed.saturating_add(phase.tasks_processed);
            }
            SchedulerPhase::DISPATCH => {
                dispatched = dispatched.saturating_add(phase.tasks_processed);
            }
            _ => {}
        }
        let (hit, miss) = phase.pops.unwrap_or_default();
        (hits, misses) = (hits.saturating_add(hit), misses.saturating_add(miss));
    }
    if tallies.iter().all(|tally| tally.count == 0) {
        return None;
    }
    let (first, last) = bounds.unwrap_or_default();
    let whole = u128::from(last - first);
    let own = own_ticks(trace, thread);
    let tracked: u128 = own.iter().sum();
    let rounds = loops;
    let work = own[SchedulerPhase::COMPLETE as usize] + own[SchedulerPhase::DISPATCH as usize];
    let phases = (0..).zip(tallies).filter(|(_, tally)| tally.count > 0);
    let phases = phases.map(|(phase, tally)| PhaseReport {
        name: SchedulerPhase::NAMES[phase],
        count: tally.count,
        sum_ns: scale.nanoseconds(tally.ticks),
        share: ratio(tally.ticks, whole),
        own_ns: scale.nanoseconds(own[phase]),
        per_loop_ns: scale.mean_nanoseconds(own[phase], rounds),
    });
    let looks = u128::from(hits) + u128::from(misses);
    let losses = trace.phase_losses().iter();
    let losses = losses.filter(|loss| loss.thread == thread);
    Some(SchedulerReport {
        thread,
        name: trace.session().thread_name(thread as usize),
        loops,
        span_ns: scale.nanoseconds(whole),
        completed,
        dispatched,
        completed_per_loop: ratio(completed.into(), loops.into()),
        pop_hits: hits,
        pop_misses: misses,
        pop_hit_rate: (looks > 0).then(|| ratio(hits.into(), looks)),
        lost_phases: losses.map(|loss| loss.count).sum(),
        unknown_phases: unknown,
        loop_ns: scale.mean_nanoseconds(whole, rounds),
        per_task_ns: scale.mean_nanoseconds(work, completed),
        untracked_ns: scale.nanoseconds(whole - tracked),
        untracked_per_loop_ns: scale.mean_nanoseconds(whole - tracked, rounds),
        phases: phases.collect(),
    })
}

/// Whether both times of a phase are known, and in order.
fn has_times(phase: &SchedulerPhase) -> bool {
    phase.start_ticks != 0 && phase.end_ticks >= phase.start_ticks
}

/// The ticks of each phase that lie in no other: a wait lies in the phase it interrupts.
fn own_ticks(trace: &Trace, thread: u32) -> [u128; SchedulerPhase::NAMES.len()] {
    let phases = || {
        let phases = trace.scheduler_phases(thread);
        phases.filter(|phase| has_times(phase) && phase.phase != SchedulerPhase::BLOCKED)
    };
    let waits = Stretches::of_thread(trace, thread);
    let mut own = [0; SchedulerPhase::NAMES.len()];
    own[SchedulerPhase::BLOCKED as usize] = u128::from(waits.ticks());
    // Where what is counted ends.
    let mut counted = 0;
    let mut count = |phase: SchedulerPhase| {
        let (start, end) = (phase.start_ticks.max(counted), phase.end_ticks);
        if let Some(sum) = own.get_mut(phase.phase as usize)
            && start < end
        {
            *sum += u128::from(end - start - waits.inside(start, end));
            counted = end;
        }
    };
    if phases().is_sorted_by_key(|phase| phase.start_ticks) {
        phases().for_each(count);
    } else {
        let mut phases: Vec<SchedulerPhase> = phases().collect();
        phases.sort_by_key(|phase| phase.start_ticks);
        phases.into_iter().for_each(&mut count);
    }
    own
}

#[derive(Default)]
struct FunctionTally {
    rows: u64,
    cycles: u128,
    counters: [u128; PMU_COUNTERS],
}

/// Sums of the counters by function; `None` without any.
pub(crate) fn pmu(trace: &Trace) -> Option<PmuReport> {
    let first = trace.pmu_rows().next()?;
    let chip = trace.session().chip.unwrap_or(Chip::A2a3);
    let event = chip.info().pmu_event(first.event);
    let mut functions: BTreeMap<u32, FunctionTally> = BTreeMap::new();
    let (mut rows, mut others) = (0, 0);
    for row in trace.pmu_rows() {
        rows += 1;
        if row.event != first.event {
            others += 1;
            continue;
        }
        let tally = functions.entry(row.func_id).or_default();
        tally.rows += 1;
        tally.cycles += u128::from(row.total_cycles);
        for (sum, count) in tally.counters.iter_mut().zip(row.counters) {
            *sum += u128::from(count);
        }
    }
    let functions = functions
        .into_iter()
        .map(|(func_id, tally)| PmuFunctionReport {
            func_id,
            name: trace.functions().label(func_id).into_owned(),
            rows: tally.rows,
            cycles: whole(tally.cycles),
            counters: event.map_or_else(Vec::new, |event| counters(event, &tally)),
        });
    Some(PmuReport {
        event: first.event,
        event_name: event.map_or("unknown", |event| event.name),
        rows,
        rows_of_other_events: others,
        functions: functions.collect(),
    })
}

fn counters(event: &PmuEvent, tally: &FunctionTally) -> Vec<PmuCounterReport> {
    let columns = event.columns();
    columns
        .map(|(counter, column)| {
            let (sum, unit) = (tally.counters[counter], PmuUnit::of(event, column));
            PmuCounterReport {
                column,
                sum: whole(sum),
                unit: unit.name(),
                rate: unit.rate(sum, tally.cycles),
            }
        })
        .collect()
}

fn whole(sum: u128) -> u64 {
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// How many tensors and bytes there are; `None` without any.
pub(crate) fn dump(trace: &Trace) -> Option<DumpReport> {
    let mut report = DumpReport::default();
    for row in trace.tensors() {
        report.tensors += 1;
        report.bytes = report.bytes.saturating_add(row.payload_bytes);
        report.tensor_bytes = report.tensor_bytes.saturating_add(row.tensor_bytes);
        report.truncated += u64::from(row.is_truncated);
        match row.stage {
            Stage::BeforeDispatch => report.before_dispatch += 1,
            Stage::AfterCompletion => report.after_completion += 1,
        }
        match row.role {
            Role::Input => report.inputs += 1,
            Role::Output => report.outputs += 1,
            Role::Inout => report.inouts += 1,
        }
    }
    let findings = trace
        .verdict()
        .into_iter()
        .flat_map(|verdict| &verdict.findings);
    let overwritten = findings.filter(|finding| finding.kind == FindingKind::Overwritten);
    report.overwritten = overwritten.map(|finding| finding.count).sum();
    (report.tensors > 0).then_some(report)
}
