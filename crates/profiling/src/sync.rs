//! Threads, locks and channels: the standard library's, or under `cfg(shuttle)` the model checker's.
//!
//! Everything the threads of this crate say to each other goes through these; the device's words go
//! through the mapping, which a test brings along.

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Mutex, atomic::AtomicBool, mpsc},
    thread,
};
#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Mutex, atomic::AtomicBool, mpsc},
    thread,
};
