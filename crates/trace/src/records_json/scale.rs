//! The scale: how the file's nanoseconds become ticks of a counter that its times fit.

use super::{Document, UNKNOWN_NS};
use lanescope_abi::Chip;

/// How the file's nanoseconds become ticks.
pub(super) struct Scale {
    pub(super) chip: Option<Chip>,
    pub(super) ticks_per_second: u64,
    ns_per_tick: u64,
    pub(super) origin_ticks: u64,
}

impl Scale {
    /// The reference writes one phase array per AICPU thread the chip can have.
    pub(super) fn of(document: &Document) -> Self {
        let threads = document.scheduler.len();
        let chip = Chip::ALL
            .into_iter()
            .find(|chip| chip.info().max_threads as usize == threads);
        let a2a3 = Chip::A2a3.info().ticks_per_second;
        let fits = chip != Some(Chip::A5) && document.multiples_of(1_000_000_000 / a2a3);
        let ticks_per_second = match fits {
            true => a2a3,
            false => Chip::A5.info().ticks_per_second,
        };
        Self {
            chip,
            ticks_per_second,
            ns_per_tick: 1_000_000_000 / ticks_per_second,
            origin_ticks: ticks_per_second,
        }
    }

    /// The tick of a time since the file's base; 0 when it is not known.
    pub(super) fn at(&self, ns: u64) -> u64 {
        match ns {
            UNKNOWN_NS => 0,
            ns => self.origin_ticks + self.span(ns),
        }
    }

    /// The ticks of a duration.
    pub(super) fn span(&self, ns: u64) -> u64 {
        ns / self.ns_per_tick
    }
}

impl Document {
    /// Whether every time in the file is a multiple of this.
    fn multiples_of(&self, ns: u64) -> bool {
        let tasks = self.tasks.tasks.iter().flat_map(|task| {
            [
                task.dispatch_ticks,
                task.start_ticks,
                task.end_ticks,
                task.finish_ticks,
            ]
        });
        let scheduler = self.scheduler.iter().flatten();
        let scheduler = scheduler.flat_map(|row| [row.start_time_us, row.end_time_us]);
        let phases = self.orchestrator_phases.iter().flatten();
        let phases = phases.flat_map(|row| [row.start_time_us, row.end_time_us]);
        let totals = self.orchestrator.iter();
        let totals = totals.flat_map(|row| {
            let [start, end] = [row.start_time_us, row.end_time_us];
            [start, end].into_iter().chain(row.phase_us.values())
        });
        let phases = scheduler.chain(phases).chain(totals).map(|time| time.0);
        tasks
            .chain(phases)
            .all(|time| time == UNKNOWN_NS || time % ns == 0)
    }
}
