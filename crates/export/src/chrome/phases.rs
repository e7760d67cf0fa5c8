//! Phases of the scheduler and the orchestrator as slices, waits inside the phase they lie in.

use super::{ORCHESTRATORS, SCHEDULERS, Writer};
use crate::nests::{Nest, Nests, is_drawable};
use lanescope_trace::{OrchestratorPhase, SchedulerPhase};
use std::io::{self, Write};

impl<W: Write> Writer<'_, W> {
    pub(super) fn phases(&mut self) -> io::Result<()> {
        let trace = self.trace;
        for thread in trace.threads() {
            let mut latest = None;
            for nest in Nests::of(trace.scheduler_phases(thread)) {
                latest = latest.max(Some(nest.outer.end_ticks));
                self.nest(thread as usize, &nest);
                self.text.pass_on()?;
            }
            self.losses_of_phases(thread, latest)?;
            for phase in trace.orchestrator_phases(thread) {
                self.orchestrator_phase(thread as usize, &phase);
                self.text.pass_on()?;
            }
        }
        Ok(())
    }

    /// One phase and the waits in it, the outer before the inner where both begin at once.
    fn nest(&mut self, thread: usize, nest: &Nest) {
        let outer = &nest.outer;
        let Some(tid) = self.phase_lane(SCHEDULERS, thread, Nest::times(outer)) else {
            self.written.undrawn_phases += nest.count();
            return;
        };
        self.begin_scheduler(tid, outer);
        for wait in &nest.waits {
            self.begin_scheduler(tid, wait);
            self.end(SCHEDULERS, tid, wait.end_ticks);
        }
        self.end(SCHEDULERS, tid, outer.end_ticks);
    }

    fn begin_scheduler(&mut self, tid: u64, phase: &SchedulerPhase) {
        self.begin(SCHEDULERS, tid, phase.name(), phase.start_ticks);
        self.text.raw(",\"args\":{");
        self.argument("loop_iter", phase.loop_iter, true);
        self.argument("tasks_processed", phase.tasks_processed, false);
        if phase.rounds != 0 {
            self.argument("rounds", phase.rounds, false);
        }
        if let Some((hits, misses)) = phase.pops {
            self.argument("pop_hit", hits, false);
            self.argument("pop_miss", misses, false);
        }
        self.text.raw("}}");
    }

    fn orchestrator_phase(&mut self, thread: usize, phase: &OrchestratorPhase) {
        let times = (phase.start_ticks, phase.end_ticks);
        let Some(tid) = self.phase_lane(ORCHESTRATORS, thread, times) else {
            self.written.undrawn_phases += 1;
            return;
        };
        self.begin(ORCHESTRATORS, tid, phase.name(), phase.start_ticks);
        self.text.raw(",\"args\":{");
        self.argument("submit_index", phase.submit_index, true);
        if phase.task_id != u64::MAX {
            self.argument("task_id", phase.task_id, false);
        }
        self.text.raw("}}");
        self.end(ORCHESTRATORS, tid, phase.end_ticks);
    }

    fn phase_lane(&mut self, pid: u64, thread: usize, times: (u64, u64)) -> Option<u64> {
        match is_drawable(times) {
            true => self.lane(pid, thread, times),
            false => None,
        }
    }
}
