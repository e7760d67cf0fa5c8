//! What each thread knows of its own bindings: contexts it is bound to, and the one that is current.
//!
//! A thread may be bound to several devices, but a call of the driver goes to the one that was set
//! last. Whether a thread stays on a device after a reset that leaves the device open is not
//! promised by the driver, so after any reset no context is taken for current.
//!
//! A thread that is ending may have no notes any more: then it counts as bound to nothing.

use std::cell::{Cell, RefCell};

thread_local! {
    /// The contexts this thread is bound to, with the number of reasons.
    static BOUND: RefCell<Vec<(u64, u32)>> = const { RefCell::new(Vec::new()) };
    /// The context that was set last; 0 when that is not known.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// Whether the thread is bound to a context.
pub(crate) fn is_bound(serial: u64) -> bool {
    let is_noted = |bound: &RefCell<Vec<(u64, u32)>>| {
        let bound = bound.borrow();
        bound.iter().any(|(known, _)| *known == serial)
    };
    BOUND.try_with(is_noted).unwrap_or(false)
}

/// Whether the thread's calls go to a context that it is bound to.
pub(crate) fn is_current(serial: u64) -> bool {
    is_bound(serial) && CURRENT.try_with(Cell::get) == Ok(serial)
}

/// The thread has set a context's device.
pub(crate) fn note_set(serial: u64) {
    let _ = CURRENT.try_with(|current| current.set(serial));
}

/// The thread has reset a device.
pub(crate) fn note_reset() {
    note_set(0);
}

/// Adds a reason to be bound.
pub(crate) fn enter(serial: u64) {
    let _ = BOUND.try_with(|bound| {
        let mut bound = bound.borrow_mut();
        match bound.iter_mut().find(|(known, _)| *known == serial) {
            Some((_, reasons)) => *reasons += 1,
            None => bound.push((serial, 1)),
        }
    });
}

/// Takes one reason away; returns whether it was the last.
pub(crate) fn leave(serial: u64) -> bool {
    let take = |bound: &RefCell<Vec<(u64, u32)>>| {
        let mut bound = bound.borrow_mut();
        let Some(index) = bound.iter().position(|(known, _)| *known == serial) else {
            return false;
        };
        bound[index].1 -= 1;
        let is_last = bound[index].1 == 0;
        if is_last {
            bound.swap_remove(index);
        }
        is_last
    };
    BOUND.try_with(take).unwrap_or(true)
}

/// Forgets every context that does not exist any more; another thread may have closed it.
pub(crate) fn forget_unless(exists: impl Fn(u64) -> bool) {
    let _ = BOUND.try_with(|bound| bound.borrow_mut().retain(|(known, _)| exists(*known)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_that_was_set_last_is_current_until_a_reset() {
        enter(1);
        note_set(1);
        enter(2);
        note_set(2);
        assert!(is_bound(1) && !is_current(1) && is_current(2));
        note_set(1);
        assert!(is_current(1) && !is_current(2));
        note_reset();
        assert!(is_bound(1) && is_bound(2) && !is_current(1) && !is_current(2));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| is_bound(1));
            assert!(!other.join().expect("it does not panic"));
        });
        forget_unless(|serial| serial == 2);
        assert!(!is_bound(1) && leave(2) && !is_bound(2));
    }
}
