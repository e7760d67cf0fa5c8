//! Single-producer single-consumer queues over shared words, generic over where the words live.
//!
//! # Where it sits
//!
//! Two queues of every lane are rings: the *ready* queue (the device produces
//! [`lanescope_abi::ReadyEntry`], the host consumes) and the *free* queue (the host produces buffer
//! indices, the device consumes). The device's words are reached through the device interface, the
//! host's through a mapping; [`RingMem`] is what both have in common, so that one piece of code runs
//! in all places and in the model checker.
//!
//! # Who writes what
//!
//! The producer alone writes the tail and the entries, the consumer alone writes the head. Head and
//! tail run free: they are reduced modulo the capacity, a power of two, when an entry is addressed.
//! `tail - head`, wrapping, is the number of entries.
//!
//! # Ordering
//!
//! Producer: entries, then tail. Consumer: tail, then entries, then whatever the entries name, then
//! head. [`RingMem`] says which access carries the order.
//!
//! # Errors
//!
//! A value read from the other side is read once, checked, and then used. One that cannot be is
//! [`RingError::CorruptIndex`]: it never indexes memory and never changes this side's state.
#![no_std]

mod consumer;
mod error;
mod heap;
mod mem;
mod producer;

pub use consumer::Consumer;
pub use error::RingError;
pub use heap::{HeapRing, Words};
pub use mem::RingMem;
pub use producer::Producer;

/// The runs of slots, at most two, that `count` entries from running index `from` occupy.
fn runs(from: u32, count: u32, capacity: u32) -> [(u32, u32); 2] {
    let slot = from & (capacity - 1);
    let first = count.min(capacity - slot);
    [(slot, first), (0, count - first)]
}
