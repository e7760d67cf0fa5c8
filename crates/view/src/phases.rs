//! Scheduler and orchestrator phases as columns, thread by thread.

use crate::base::Base;
use crate::columns::{Columns, Values};
use crate::tasks::halves;
use lanescope_trace::Trace;

/// How many phases each AICPU thread has in the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseCounts {
    pub(crate) scheduler: Vec<u64>,
    pub(crate) orchestrator: Vec<u64>,
    /// Without a begin, or with an end before it.
    pub(crate) undrawn: u64,
}

pub(crate) fn encode(trace: &Trace, base: Base, columns: &mut Columns) -> PhaseCounts {
    let mut counts = PhaseCounts::default();
    scheduler(trace, base, columns, &mut counts);
    orchestrator(trace, base, columns, &mut counts);
    counts
}

fn scheduler(trace: &Trace, base: Base, columns: &mut Columns, counts: &mut PhaseCounts) {
    let mut values: [Values; 7] = Default::default();
    let [starts, lengths, phases, rounds, tasks, hits, misses] = &mut values;
    for thread in trace.threads() {
        let (mut count, mut latest, mut round) = (0, 0, 0);
        for phase in trace.scheduler_phases(thread) {
            let Some((start, length)) = span(base, phase.start_ticks, phase.end_ticks) else {
                counts.undrawn += 1;
                continue;
            };
            starts.push_step(latest, start);
            lengths.push(length);
            phases.push(phase.phase.into());
            rounds.push_step(round, within(phase.loop_iter));
            tasks.push(within(phase.tasks_processed));
            // 0 is not counted.
            let (hit, miss) = phase
                .pops
                .map_or((0, 0), |(hit, miss)| (within(hit) + 1, within(miss) + 1));
            hits.push(hit);
            misses.push(miss);
            (latest, round) = (start, within(phase.loop_iter));
            count += 1;
        }
        counts.scheduler.push(count);
    }
    let names = [
        "start", "length", "phase", "round", "tasks", "hits", "misses",
    ];
    for (name, values) in names.into_iter().zip(values) {
        columns.add(format!("scheduler_{name}"), [values]);
    }
}

fn orchestrator(trace: &Trace, base: Base, columns: &mut Columns, counts: &mut PhaseCounts) {
    let mut values: [Values; 6] = Default::default();
    let [starts, lengths, phases, submits, lows, highs] = &mut values;
    for thread in trace.threads() {
        let (mut count, mut latest) = (0, 0);
        for phase in trace.orchestrator_phases(thread) {
            let Some((start, length)) = span(base, phase.start_ticks, phase.end_ticks) else {
                counts.undrawn += 1;
                continue;
            };
            let (low, high) = halves(phase.task_id);
            starts.push_step(latest, start);
            lengths.push(length);
            phases.push(phase.phase.into());
            submits.push(within(phase.submit_index));
            lows.push(low.into());
            highs.push(high.into());
            latest = start;
            count += 1;
        }
        counts.orchestrator.push(count);
    }
    let names = ["start", "length", "phase", "submit", "id_low", "id_high"];
    for (name, values) in names.into_iter().zip(values) {
        columns.add(format!("orchestrator_{name}"), [values]);
    }
}

/// Where a phase begins and how long it is.
fn span(base: Base, start_ticks: u64, end_ticks: u64) -> Option<(u64, u64)> {
    if start_ticks == 0 || end_ticks < start_ticks {
        return None;
    }
    let start = base.place(start_ticks);
    Some((start, base.place(end_ticks) - start))
}

/// A count that a browser's numbers hold exactly; no real one is larger.
const fn within(count: u64) -> u64 {
    const MOST: u64 = 1 << 51;
    if count < MOST { count } else { MOST }
}
