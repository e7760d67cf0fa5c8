//! Locks and moments of waiting: the standard library's, or under `cfg(shuttle)` the model checker's.

#[cfg(shuttle)]
pub use shuttle::sync::{Condvar, Mutex};
#[cfg(not(shuttle))]
pub use std::sync::{Condvar, Mutex};

/// A moment at which, to the model checker, any other thread may go on.
#[inline]
pub fn step() {
    #[cfg(shuttle)]
    {
        use shuttle::sync::atomic::{AtomicBool, Ordering};
        let _ = AtomicBool::new(false).load(Ordering::SeqCst);
    }
}

/// Lets other threads go on, one of which must do something first.
pub fn pause() {
    #[cfg(shuttle)]
    shuttle::thread::yield_now();
    #[cfg(not(shuttle))]
    std::thread::yield_now();
}
