//! Phases of the scheduler and the orchestrator as slices, lost ones as instants.

use super::{ORCHESTRATORS, SCHEDULERS, Writer};
use std::io::{self, Write};

impl<W: Write> Writer<'_, W> {
    pub(super) fn phases(&mut self) -> io::Result<()> {
        let trace = self.trace;
        for thread in trace.threads() {
            let tid = u64::from(thread);
            let mut is_named = false;
            for phase in trace.scheduler_phases(thread) {
                let Some(lasting) = phase.end_ticks.checked_sub(phase.start_ticks) else {
                    continue;
                };
                if phase.start_ticks == 0 {
                    continue;
                }
                if !std::mem::replace(&mut is_named, true) {
                    let name = format!("scheduler {thread}");
                    self.describe("thread_name", SCHEDULERS, Some(tid), &name);
                }
                self.event("X", SCHEDULERS, tid);
                self.name(phase.name());
                self.at(phase.start_ticks);
                self.lasting(lasting);
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
                self.text.pass_on()?;
            }
            self.orchestrator_phases(thread)?;
        }
        for loss in trace.phase_losses() {
            self.event("i", SCHEDULERS, u64::from(loss.thread));
            self.name(&format!("{} phase records lost before this", loss.count));
            self.at(loss.at_ticks);
            self.text.raw(",\"s\":\"t\"}");
            self.text.pass_on()?;
        }
        Ok(())
    }

    fn orchestrator_phases(&mut self, thread: u32) -> io::Result<()> {
        let trace = self.trace;
        let tid = u64::from(thread);
        let mut is_named = false;
        for phase in trace.orchestrator_phases(thread) {
            let Some(lasting) = phase.end_ticks.checked_sub(phase.start_ticks) else {
                continue;
            };
            if phase.start_ticks == 0 {
                continue;
            }
            if !std::mem::replace(&mut is_named, true) {
                let name = format!("orchestrator {thread}");
                self.describe("thread_name", ORCHESTRATORS, Some(tid), &name);
            }
            self.event("X", ORCHESTRATORS, tid);
            self.name(phase.name());
            self.at(phase.start_ticks);
            self.lasting(lasting);
            self.text.raw(",\"args\":{");
            self.argument("submit_index", phase.submit_index, true);
            if phase.task_id != u64::MAX {
                self.argument("task_id", phase.task_id, false);
            }
            self.text.raw("}}");
            self.text.pass_on()?;
        }
        Ok(())
    }
}
