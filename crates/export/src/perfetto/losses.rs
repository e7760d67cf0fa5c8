//! Where records are missing: instants on the tracks of their cores.

use super::{Writer, event};
use lanescope_trace::{Kind, Task, lost_before, lost_between};
use std::io::Write;

impl<W: Write> Writer<'_, W> {
    /// Compares the task's token with the one before it on its core.
    pub(super) fn mark_loss(&mut self, task: &Task) {
        let core = usize::from(task.core);
        let progress = &mut self.cores[core];
        let lost = match &progress.latest {
            Some(latest) => lost_between(latest, task),
            None => self.trace.session().cores[core]
                .first_token
                .map_or(0, |first| lost_before(first, task)),
        };
        progress.latest = Some(*task);
        if lost > 0 {
            let at = task.first_ticks().or(self.clock.origin());
            self.loss(core, u64::from(lost), at, "lost before this task");
        }
    }

    fn loss(&mut self, core: usize, count: u64, at: Option<u64>, place: &str) {
        // What a verdict says may be any number.
        let lost = &mut self.cores[core].lost;
        *lost = lost.saturating_add(count);
        self.written.lost_records = self.written.lost_records.saturating_add(count);
        let Some(at) = at else { return };
        let at_ns = self.clock.nanoseconds(at);
        let track = self.tracks.kernels[core].track();
        let name = format!("{count} records {place}");
        event::instant(&mut self.wire, at_ns, track, &name, |wire| {
            event::annotate_uint(wire, "records", count);
        });
    }

    /// What the verdict knows to be lost beyond the gaps between tokens: the end of a core's run.
    pub(super) fn trailing_losses(&mut self) {
        let Some(verdict) = self.trace.verdict() else {
            return;
        };
        for counts in &verdict.cores {
            let core = counts.core.map_or(usize::MAX, |core| core as usize);
            if core >= self.cores.len() || counts.kind != Kind::TASK {
                continue;
            }
            let missing = counts.counts.total.saturating_sub(counts.counts.collected);
            let rest = missing.saturating_sub(self.cores[core].lost);
            if rest > 0 {
                let latest = self.cores[core].latest;
                let at = latest.and_then(|task| task.last_ticks());
                let at = at.or(self.clock.origin());
                self.loss(core, rest, at, "lost after this");
            }
        }
    }

    /// Counters and tensors have no place of their own where one is missing: the end of their core.
    pub(super) fn losses_of_other_kinds(&mut self) {
        let Some(verdict) = self.trace.verdict() else {
            return;
        };
        for counts in &verdict.cores {
            let core = counts.core.map_or(usize::MAX, |core| core as usize);
            let missing = counts.counts.total.saturating_sub(counts.counts.collected);
            let is_told = matches!(counts.kind, Kind::TASK | Kind::PHASE);
            if core >= self.cores.len() || missing == 0 || is_told {
                continue;
            }
            let latest = self.cores[core].latest.and_then(|task| task.last_ticks());
            let Some(at) = latest.or(self.clock.origin()) else {
                continue;
            };
            self.written.lost_others = self.written.lost_others.saturating_add(missing);
            let at_ns = self.clock.nanoseconds(at);
            let track = self.tracks.kernels[core].track();
            let name = format!("{missing} {} records lost on this core", counts.kind);
            event::instant(&mut self.wire, at_ns, track, &name, |wire| {
                event::annotate_uint(wire, "records", missing);
            });
        }
    }
}
