//! What a recorder keeps of its cores: tokens in flight and counters.

use super::lane::Counters;
use super::pmu::CoreCounters;
use crate::MAX_CORES;
use lanescope_abi::token::CoreState;
use lanescope_abi::{Chip, CoreType, Device, Token, is_mutant};

/// The private state of one AICPU thread's [`super::Recorder`], in memory the caller gives.
///
/// `RING` is the ring size that the device programs are built with.
#[derive(Debug)]
pub struct RecordState<const RING: usize> {
    pub(crate) cores: [Core<RING>; MAX_CORES],
}

impl<const RING: usize> RecordState<RING> {
    /// State of a recorder that is not attached yet.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                matches!(RING, 1 | 2 | 4 | 8 | 16),
                "a ring has 1, 2, 4, 8 or 16 slots"
            );
        };
        Self {
            cores: [const { Core::new() }; MAX_CORES],
        }
    }

    /// Puts the switches of all cores' counters back, for a thread whose recorder has died.
    pub(crate) fn switch_counters_back<D: Device>(&mut self, device: &D, chip: Chip) {
        for core in &mut self.cores {
            core.pmu.switch_back(device, &chip.info().registers.pmu);
        }
    }
}

impl<const RING: usize> Default for RecordState<RING> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a scheduler says of a task when it hands it to a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function it runs.
    pub func_id: u32,
    /// The scheduler's own number for it; given back when it has finished.
    pub tag: u32,
}

/// One core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core<const RING: usize> {
    pub(crate) is_owned: bool,
    pub(crate) core_type: CoreType,
    /// The oldest token that is not committed; the next to dispatch when none is in flight.
    pub(crate) oldest: Token,
    /// Tokens in flight: `oldest` and those behind it.
    pub(crate) count: u32,
    /// What was dispatched, by slot.
    pub(crate) in_flight: [Dispatched; RING],
    /// Offset of the core's order line in the control region.
    pub(crate) order: u64,
    pub(crate) dispatched: u64,
    pub(crate) completed: u64,
    /// Offset of the core's staging ring in the capture region.
    pub(crate) ring: u64,
    /// What became of its task records.
    pub(crate) counters: Counters,
    pub(crate) pmu: CoreCounters,
}

/// A token in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dispatched {
    pub(crate) task: Task,
    pub(crate) ticks: u64,
}

impl<const RING: usize> Core<RING> {
    const fn new() -> Self {
        let task = Task {
            task_id: 0,
            func_id: 0,
            tag: 0,
        };
        Self {
            is_owned: false,
            core_type: CoreType::Aic,
            oldest: Token::FIRST,
            count: 0,
            in_flight: [Dispatched { task, ticks: 0 }; RING],
            order: 0,
            dispatched: 0,
            completed: 0,
            ring: 0,
            counters: Counters::NONE,
            pmu: CoreCounters::NONE,
        }
    }

    pub(crate) fn next_token(&self) -> Token {
        self.oldest.advance(u64::from(self.count))
    }

    /// How many tokens, from the oldest on, `cond` proves finished; `None` when it cannot be what
    /// the core says.
    #[inline]
    pub(crate) fn proven(&self, cond: u32) -> Option<u32> {
        match CoreState::from_cond(cond) {
            CoreState::Fin(token) => {
                let distance = self.oldest.distance_to(token);
                if distance < self.count {
                    Some(distance + 1)
                } else {
                    // The register keeps the last FIN until the next token begins.
                    (token == self.oldest.previous()).then_some(0)
                }
            }
            CoreState::Ack(token) => {
                let distance = self.oldest.distance_to(token);
                let itself = u32::from(is_mutant("ack-proves-itself"));
                (distance < self.count).then_some(distance + itself)
            }
            CoreState::Idle if self.completed == 0 => Some(0),
            CoreState::Idle | CoreState::Exited | CoreState::Unknown(_) => None,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a ring has at most 16 slots"
)]
pub(crate) const fn ring_size<const RING: usize>() -> u32 {
    RING as u32
}
