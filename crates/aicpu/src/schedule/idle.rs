//! Nothing to do: what a thread waits for, and for how long.

use super::executor::Executor;
use super::shared::{Shared, Word};
use crate::{Failure, MAX_CORES};
use core::sync::atomic::Ordering;
use lanescope_abi::control::DeviceError;
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{Awaited, AwaitedWord, CoreType, Device, is_mutant};

/// When a task last finished, or a piece of a tensor was copied, anywhere.
#[derive(Debug)]
pub(crate) struct Stall {
    unfinished: u32,
    copied: u32,
    pub(crate) since_ticks: u64,
}

impl Stall {
    pub(crate) fn new() -> Self {
        Self {
            unfinished: u32::MAX,
            copied: 0,
            since_ticks: 0,
        }
    }
}

/// The shared words as they were before a round looked for something to do.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) unfinished: u32,
    ready_tail: [u32; 2],
}

impl Seen {
    #[inline]
    pub(crate) fn now(shared: &Shared<'_>) -> Self {
        use core::sync::atomic::Ordering::Acquire;
        Self {
            ready_tail: shared.ready_tail.map(|word| word.value.load(Acquire)),
            unfinished: shared.unfinished(),
        }
    }
}

impl<D: Device, const RING: usize> Executor<'_, D, RING> {
    /// Waits until a core, another thread or the clock says something new.
    pub(super) fn idle(&mut self, seen: &Seen, stands_until: Option<u64>) -> Result<(), Failure> {
        let device = self.control.device();
        let header = self.control.header();
        let now = device.ticks();
        let copied = self.shared.copied.value.load(Ordering::Relaxed);
        if (seen.unfinished, copied) != (self.stall.unfinished, self.stall.copied) {
            (self.stall.unfinished, self.stall.copied) = (seen.unfinished, copied);
            self.stall.since_ticks = now;
        }
        let mut registers = [0u64; MAX_CORES];
        let mut register_count = 0;
        let mut has_room = [false; 2];
        for core in self.cores.as_slice() {
            let in_flight = self.recorder.in_flight(core.index)?;
            if in_flight != 0 {
                registers[register_count] = core.cond_address;
                register_count += 1;
            }
            has_room[core.core_type as usize] |=
                !core.is_bound && in_flight + core.jobs < self.control.issue_depth();
        }
        let limit = header.scheduler_limit_ticks;
        // How late this thread may learn that a task of another one finished.
        let look = (limit / 16)
            .min(self.control.chip().ticks_per_second / 4)
            .max(1);
        let patience = if register_count == 0 {
            // The thread whose core holds everybody up is to say so first.
            limit.saturating_add(2 * look)
        } else {
            limit
        };
        let is_over = now.saturating_sub(self.stall.since_ticks) >= patience;
        if is_over && !is_mutant("scheduler-unlimited") {
            return Err(Failure::new(DeviceError::SchedulerTimeout).after(limit));
        }
        let deadline = (self.stall.since_ticks.saturating_add(patience))
            .min(now + look)
            .min(stands_until.unwrap_or(u64::MAX));
        let word = |word: Word<'_>, seen: u32| AwaitedWord {
            address: word.address,
            seen,
            by: AwaitedBy::Device as u32,
            pair_address: 0,
        };
        let mut words = [word(self.shared.fault, DeviceError::None as u32); 5];
        let mut word_count = 1;
        for core_type in CoreType::ALL {
            let kind = core_type as usize;
            if has_room[kind] {
                words[word_count] = word(self.shared.ready_tail[kind], seen.ready_tail[kind]);
                word_count += 1;
            }
        }
        // While a core is in use there is something unfinished: its COND will tell.
        if register_count == 0 {
            words[word_count] = word(self.shared.unfinished, seen.unfinished);
            word_count += 1;
        }
        if stands_until.is_some()
            && let Some(room) = self.recorder.awaited_room()
        {
            words[word_count] = room;
            word_count += 1;
        }
        device.relax(&Awaited::new(
            "a finished or a ready task",
            &registers[..register_count],
            &words[..word_count],
            deadline,
        ));
        Ok(())
    }
}
