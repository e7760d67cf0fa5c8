//! An AICPU thread's status line.

use crate::region::Region;
use crate::{Control, Failure};
use lanescope_abi::control::{AbiField, DeviceError, Phase, ThreadStatus};
use lanescope_abi::{Barrier, Device};
use zerocopy::{FromBytes, IntoBytes};

/// Finished tasks between two updates of the line.
const COMPLETED_STEP: u64 = 1024;

/// The status line of one thread, and the only code that writes it.
///
/// Written on every change of phase, before any error return, and every 1024 finished tasks.
#[derive(Debug)]
pub struct Status<'d, D> {
    region: Region<'d, D>,
    offset: u64,
    line: ThreadStatus,
    /// `completed` at which the line is written next.
    next_update: u64,
}

impl<'d, D: Device> Status<'d, D> {
    /// The line of `thread`, which is below the header's thread count; writes nothing yet.
    #[must_use]
    pub fn new(control: &Control<'d, D>, thread: u32) -> Self {
        let begin_ticks = control.device().ticks();
        Self {
            region: control.region,
            offset: control.header.threads.at(thread),
            line: ThreadStatus {
                run_id: control.header.run_id,
                core: u32::MAX,
                begin_ticks,
                ..ThreadStatus::default()
            },
            next_update: COMPLETED_STEP,
        }
    }

    /// A thread's line as it was left behind, to be gone on with.
    pub(crate) fn found(control: &Control<'d, D>, thread: u32) -> Self {
        let mut status = Self::new(control, thread);
        status.region.invalidate(status.offset);
        let mut words = [0u64; size_of::<ThreadStatus>() / 8];
        for (offset, word) in (status.offset..).step_by(8).zip(&mut words) {
            *word = status.region.load64(offset);
        }
        let line = ThreadStatus::read_from_bytes(words.as_bytes())
            .expect("the words are as many bytes as the line");
        if line.run_id == status.line.run_id {
            status.line = line;
        }
        status
    }

    /// Enters a phase.
    pub fn enter(&mut self, phase: Phase) {
        self.line.phase = phase as u32;
        self.write();
    }

    /// Says that `completed` tasks of this thread have finished so far.
    #[inline]
    pub fn completed(&mut self, completed: u64) {
        self.line.completed = completed;
        if completed >= self.next_update {
            self.next_update = completed + COMPLETED_STEP;
            self.write();
        }
    }

    /// Says why the thread leaves; the first failure stays, and the phase it happened in with it.
    pub fn fail(&mut self, failure: &Failure) {
        if self.line.error != DeviceError::None as u32 {
            return;
        }
        self.line.error = failure.error as u32;
        self.line.core = failure.core;
        self.line.token = failure.token;
        self.line.data_main_base = failure.data_main_base;
        self.line.cond = failure.cond;
        self.line.field = match failure.error {
            DeviceError::AbiMismatch => failure.field as u32,
            _ => AbiField::None as u32,
        };
        self.line.detail = failure.detail;
        self.write();
    }

    /// Leaves: done, or failed when a failure was noted; the phase of a failure is kept.
    pub fn leave(&mut self) {
        if self.line.error == DeviceError::None as u32 {
            self.line.phase = Phase::Done as u32;
        }
        self.write();
    }

    /// Writes the whole line.
    fn write(&mut self) {
        self.line.ticks = self.region.device().ticks();
        for (offset, bytes) in (self.offset..)
            .step_by(8)
            .zip(self.line.as_bytes().chunks(8))
        {
            let word = bytes.try_into().expect("the line is whole words");
            self.region.store64(offset, u64::from_le_bytes(word));
        }
        self.region.barrier(Barrier::Store);
    }
}
