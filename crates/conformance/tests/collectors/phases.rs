//! Scheduler phases against the tasks that a thread completed and dispatched.

use lanescope_conformance::Finished;
use lanescope_trace::{SchedulerPhase, Trace};

/// What is wrong with the phases of a run; empty when nothing is.
///
/// Checked: no record is missing; idling is one record for a stretch; what a thread does lies one behind the other, a wait for the host
/// inside of what had to wait; it completed and dispatched as many tasks as its cores ran; and every
/// token was written in a phase of its thread that dispatches, or that copies what the task reads.
pub fn faults(finished: &Finished) -> Vec<String> {
    let trace = &finished.trace;
    let mut faults = Vec::new();
    if !trace.phase_losses().is_empty() {
        faults.push(format!("phases are missing: {:?}", trace.phase_losses()));
    }
    for thread in 0..trace.session().threads {
        let phases: Vec<SchedulerPhase> = trace.scheduler_phases(thread).collect();
        faults.extend(order(&phases).map(|text| format!("thread {thread}: {text}")));
        faults.extend(sums(trace, thread, &phases));
    }
    faults.truncate(12);
    faults
}

fn order(phases: &[SchedulerPhase]) -> Option<String> {
    let outer = phases
        .iter()
        .filter(|phase| phase.phase != SchedulerPhase::BLOCKED);
    let mut end = 0;
    let mut round = 0;
    let mut before = None;
    for phase in outer {
        if (before, phase.phase) == (Some(SchedulerPhase::IDLE), SchedulerPhase::IDLE) {
            return Some(format!("idled already before: {phase:?}"));
        }
        before = Some(phase.phase);
        if phase.start_ticks < end || phase.end_ticks < phase.start_ticks {
            return Some(format!("begins before {end}: {phase:?}"));
        }
        if phase.loop_iter < round {
            return Some(format!("round {round} came before: {phase:?}"));
        }
        (end, round) = (phase.end_ticks, phase.loop_iter);
        let done = match phase.phase {
            SchedulerPhase::COMPLETE | SchedulerPhase::DISPATCH => phase.tasks_processed,
            _ => phase.rounds,
        };
        if done == 0 {
            return Some(format!("nothing was done in it: {phase:?}"));
        }
    }
    None
}

fn sums(trace: &Trace, thread: u32, phases: &[SchedulerPhase]) -> Vec<String> {
    let mut faults = Vec::new();
    let cores = &trace.session().cores;
    let is_own = |core: u16| cores[usize::from(core)].thread == Some(thread);
    let own: Vec<_> = trace.tasks().filter(|task| is_own(task.core)).collect();
    for kind in [SchedulerPhase::COMPLETE, SchedulerPhase::DISPATCH] {
        let of_kind = phases.iter().filter(|phase| phase.phase == kind);
        let sum: u64 = of_kind.map(|phase| phase.tasks_processed).sum();
        if sum != own.len() as u64 {
            let name = SchedulerPhase::NAMES[kind as usize];
            faults.push(format!(
                "thread {thread}: {sum} tasks to {name} of {}",
                own.len()
            ));
        }
    }
    let writes = [SchedulerPhase::DISPATCH, SchedulerPhase::DUMP];
    let dispatches: Vec<_> = phases
        .iter()
        .filter(|phase| writes.contains(&phase.phase))
        .collect();
    for task in own {
        let at = task.dispatch_ticks;
        let next = dispatches.partition_point(|phase| phase.end_ticks < at);
        let is_inside = dispatches
            .get(next)
            .is_some_and(|phase| phase.start_ticks <= at);
        if !is_inside {
            let id = task.task_id;
            faults.push(format!(
                "thread {thread}: task {id} was dispatched outside of it"
            ));
        }
    }
    faults
}
