//! What the device waits for: frames on their way from the control thread, and ends of threads.

use lanescope_sim_wire::HostFrame;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What has arrived. Writers: the control thread, and agents that are threads; reader: the device.
#[derive(Debug)]
pub struct Inbox<T = HostFrame> {
    items: Mutex<VecDeque<T>>,
    arrived: Condvar,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            items: Mutex::default(),
            arrived: Condvar::new(),
        }
    }
}

impl<T> Inbox<T> {
    /// Adds an item.
    pub fn push(&self, item: T) {
        self.lock().push_back(item);
        self.arrived.notify_one();
    }

    /// Whether there is anything.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Takes everything; waits for it when there is nothing and `wait` says so.
    pub fn take(&self, wait: bool) -> VecDeque<T> {
        if wait {
            return self.take_within(None);
        }
        std::mem::take(&mut *self.lock())
    }

    /// Takes everything; waits at most so long while there is nothing, for ever when it is `None`.
    pub fn take_within(&self, limit: Option<Duration>) -> VecDeque<T> {
        let mut items = self.lock();
        match limit {
            None => {
                while items.is_empty() {
                    items = self
                        .arrived
                        .wait(items)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(limit) => {
                let woken = self
                    .arrived
                    .wait_timeout_while(items, limit, |items| items.is_empty());
                items = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        std::mem::take(&mut *items)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
