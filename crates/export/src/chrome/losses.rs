//! Lost records as instants.

use super::{KERNELS, SCHEDULERS, Writer};
use crate::losses::Loss;
use lanescope_trace::{Kind, Task};
use std::io::{self, Write};

impl<W: Write> Writer<'_, W> {
    /// Records that the tokens prove to be missing before a task.
    pub(super) fn loss_before(&mut self, task: &Task) {
        if let Some(loss) = self.losses.before(task) {
            self.loss_on_core(usize::from(task.core), &loss);
        }
    }

    /// What the verdict knows to be lost beyond the gaps between tokens.
    pub(super) fn losses_of_cores(&mut self) -> io::Result<()> {
        for (core, loss) in self.losses.of_cores() {
            self.loss_on_core(core, &loss);
            self.text.pass_on()?;
        }
        Ok(())
    }

    /// Phases of a thread that are lost, those behind its last too.
    pub(super) fn losses_of_phases(&mut self, thread: u32, latest: Option<u64>) -> io::Result<()> {
        for loss in self.losses.of_phases(thread, latest) {
            let lost = &mut self.written.lost_phases;
            *lost = lost.saturating_add(loss.count);
            let Some(at) = loss.at_ticks else { continue };
            self.mark(SCHEDULERS, thread as usize, &loss, at);
            self.text.pass_on()?;
        }
        Ok(())
    }

    fn loss_on_core(&mut self, core: usize, loss: &Loss) {
        let lost = match loss.kind {
            Kind::TASK => &mut self.written.lost_records,
            _ => &mut self.written.lost_others,
        };
        // What a verdict says may be any number.
        *lost = lost.saturating_add(loss.count);
        if let Some(at) = loss.at_ticks {
            self.mark(KERNELS, core, loss, at);
        }
    }

    fn mark(&mut self, pid: u64, owner: usize, loss: &Loss, at: u64) {
        let tid = self.first_lane(pid, owner, at);
        self.event("i", pid, tid);
        self.name(&loss.to_string());
        self.at(at);
        self.text.raw(",\"s\":\"t\",\"args\":{");
        self.argument("records", loss.count, true);
        self.text.raw("}}");
    }
}
