//! Frames on their way from the control thread to the device.

use lanescope_sim_wire::HostFrame;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Frames that have arrived. Writer: the control thread; reader: the device.
#[derive(Debug, Default)]
pub struct Inbox {
    frames: Mutex<VecDeque<HostFrame>>,
    arrived: Condvar,
}

impl Inbox {
    /// Adds a frame.
    pub fn push(&self, frame: HostFrame) {
        self.lock().push_back(frame);
        self.arrived.notify_one();
    }

    /// Whether there is a frame.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Takes all frames; waits for one when there is none and `wait` says so.
    pub fn take(&self, wait: bool) -> VecDeque<HostFrame> {
        let mut frames = self.lock();
        while wait && frames.is_empty() {
            frames = self
                .arrived
                .wait(frames)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut *frames)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HostFrame>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
