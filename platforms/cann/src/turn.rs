//! Whose turn it is: one run at a time uses the cores of a device.
//!
//! The streams of two openings know nothing of each other. Cores that one run holds cannot answer
//! another run's AICPU threads, which would give up at their own limit; so the host lets one run
//! end before the next is launched.

use crate::Context;
use lanescope_platform::{PlatformError, Result, Turn};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The turns of one device.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    is_taken: Mutex<bool>,
    returned: Condvar,
}

impl Turns {
    /// Waits for the turn; `false` when `limit` passes first.
    fn take(&self, limit: Duration) -> bool {
        let is_taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_taken, waited) = self
            .returned
            .wait_timeout_while(is_taken, limit, |is_taken| *is_taken)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return false;
        }
        *is_taken = true;
        true
    }

    fn give_back(&self) {
        *self.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.returned.notify_one();
    }
}

impl Context {
    /// The right to run programs on the device until the result is dropped.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Busy`] when another run holds it for longer than `limit`.
    pub(crate) fn take_turn(self: &Arc<Self>, limit: Duration) -> Result<Turn> {
        if !self.turns.take(limit) {
            return Err(PlatformError::Busy {
                device: self.logical_id(),
                limit,
            });
        }
        let context = Arc::clone(self);
        Ok(Turn::new(move || context.turns.give_back()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_had_by_one_and_then_by_the_next() {
        let turns = Turns::default();
        assert!(turns.take(Duration::ZERO));
        assert!(!turns.take(Duration::ZERO));
        assert!(!turns.take(Duration::from_millis(5)));
        std::thread::scope(|scope| {
            let next = scope.spawn(|| turns.take(Duration::from_secs(60)));
            turns.give_back();
            assert!(next.join().expect("it does not panic"));
        });
        assert!(!turns.take(Duration::ZERO));
        turns.give_back();
        assert!(turns.take(Duration::MAX));
    }
}
