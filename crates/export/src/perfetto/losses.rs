//! Where records are missing: instants on the tracks of their cores and threads.

use super::{Writer, event};
use crate::losses::Loss;
use lanescope_trace::{Kind, Task};
use std::io::Write;

impl<W: Write> Writer<'_, W> {
    /// Records that the tokens prove to be missing before a task.
    pub(super) fn loss_before(&mut self, task: &Task) {
        if let Some(loss) = self.losses.before(task) {
            self.loss_on_core(usize::from(task.core), &loss);
        }
    }

    /// What the verdict knows to be lost beyond the gaps between tokens.
    pub(super) fn losses_of_cores(&mut self) {
        for (core, loss) in self.losses.of_cores() {
            self.loss_on_core(core, &loss);
        }
    }

    /// Phases of a thread that are lost, those behind its last too.
    pub(super) fn losses_of_phases(&mut self, thread: u32, track: u64, latest: Option<u64>) {
        for loss in self.losses.of_phases(thread, latest) {
            let lost = &mut self.written.lost_phases;
            *lost = lost.saturating_add(loss.count);
            self.mark(track, &loss);
        }
    }

    fn loss_on_core(&mut self, core: usize, loss: &Loss) {
        let lost = match loss.kind {
            Kind::TASK => &mut self.written.lost_records,
            _ => &mut self.written.lost_others,
        };
        // What a verdict says may be any number.
        *lost = lost.saturating_add(loss.count);
        let track = self.tracks.kernels[core].track();
        self.mark(track, loss);
    }

    fn mark(&mut self, track: u64, loss: &Loss) {
        let Some(at) = loss.at_ticks else { return };
        let at_ns = self.clock.nanoseconds(at);
        event::instant(&mut self.wire, at_ns, track, &loss.to_string(), |wire| {
            event::annotate_uint(wire, "records", loss.count);
        });
    }
}
