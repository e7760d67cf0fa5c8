//! The phase lane: what an AICPU thread did between tasks.

use super::capture::Capture;
use super::lane::{Counters, Lane};
use crate::{Control, Failure};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Device, PhaseKind, PhaseRecord};

/// One stretch of what an AICPU thread did; see [`lanescope_abi::PhaseRecord`].
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// What it did.
    pub kind: PhaseKind,
    /// When it began.
    pub begin_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// The scheduler's round in which it began; of an orchestrator, the submission.
    pub round: u32,
    /// Tasks completed or dispatched in it; of any other stretch, its rounds.
    pub tasks: u32,
    /// Looks at a ready queue that found a task.
    pub hits: u32,
    /// Looks that found none.
    pub misses: u32,
    /// The task an orchestrator submits, else `u64::MAX`.
    pub task_id: u64,
}

/// The phase lane of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Phases<'d, D> {
    lane: Lane<'d, D, PhaseRecord>,
    counters: Counters,
    run_id: u32,
    thread: u32,
    sequence: u32,
    round: u32,
    /// Whether phases of an orchestrator are recorded.
    has_orchestrator: bool,
}

impl<'d, D: Device> Phases<'d, D> {
    pub(crate) fn attach(
        control: &Control<'d, D>,
        capture: &Capture<'d, D>,
        thread: u32,
    ) -> Result<Self, Failure> {
        let lane: Lane<'d, D, PhaseRecord> = Lane::attach(capture, thread)?;
        Ok(Self {
            counters: lane.counters(0),
            lane,
            run_id: control.header.run_id,
            thread,
            sequence: 0,
            round: 0,
            has_orchestrator: control.header.swimlane_level >= 4,
        })
    }

    /// Whether phases of an orchestrator are recorded.
    #[inline]
    pub(crate) fn has_orchestrator(&self) -> bool {
        self.has_orchestrator
    }

    /// Waits that are noted from now on began in this round.
    pub(crate) fn enter_round(&mut self, round: u32) {
        self.round = round;
    }

    /// Commits a phase, and behind it the wait that this took; an orchestrator's only where those are
    /// recorded. A wait for room for a record of a wait is counted, but is no record itself: it would be
    /// one more to wait for.
    pub(crate) fn commit(&mut self, phase: &Phase) -> Result<(), DeviceError> {
        if phase.kind.is_of_orchestrator() && !self.has_orchestrator {
            return Ok(());
        }
        self.commit_one(phase)?;
        match self.lane.buffers.take_wait() {
            Some(wait) => self.blocked(wait),
            None => Ok(()),
        }
    }

    /// Commits a wait for the host, in the lane of any kind, as (begin, end) ticks.
    #[cold]
    pub(crate) fn blocked(
        &mut self,
        (begin_ticks, end_ticks): (u64, u64),
    ) -> Result<(), DeviceError> {
        let phase = Phase {
            kind: PhaseKind::Blocked,
            begin_ticks,
            end_ticks,
            round: self.round,
            tasks: 1,
            hits: 0,
            misses: 0,
            task_id: u64::MAX,
        };
        self.commit_one(&phase)?;
        self.lane.buffers.take_wait();
        Ok(())
    }

    fn commit_one(&mut self, phase: &Phase) -> Result<(), DeviceError> {
        let record = PhaseRecord {
            begin_ticks: phase.begin_ticks,
            end_ticks: phase.end_ticks,
            sequence: self.sequence,
            run_id: self.run_id,
            phase: phase.kind as u16,
            thread: u16::try_from(self.thread).expect("a chip has few AICPU threads"),
            round: phase.round,
            tasks: phase.tasks,
            hits: phase.hits,
            misses: phase.misses,
            task_id: phase.task_id,
            ..PhaseRecord::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.lane.commit(&mut self.counters, &record)?;
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        self.lane.flush()
    }
}
