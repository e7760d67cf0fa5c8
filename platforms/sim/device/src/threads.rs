//! Thread mode: the agents of a launch as real threads on real atomics, for stress and races.
//!
//! # Where it sits
//!
//! The setting `threads=1`, read when the device process starts, puts [`device`] in the place of
//! the device in virtual time. Frames, launches, programs, kernels, memory, the register map and
//! the table's functions are the same; what an agent *is* differs: [`agent`] instead of
//! [`crate::interface`], the operating system instead of [`crate::engine`].
//!
//! # Ordering
//!
//! Loads, stores and registers are relaxed atomics; only a barrier orders them, as the interface
//! says. The host's CPU is stronger than that, so a seed other than 0 weakens it again:
//!
//! - Stores wait in a buffer of the agent until a store barrier, and leave it earlier at random, in
//!   any order but that of one word ([`stores`]). So a record that is published before a barrier,
//!   or a barrier that is missing before FIN, shows.
//! - A core loads from its own copies of lines until it invalidates them, and its stores stay there
//!   until it cleans them ([`lines`]), whatever the seed; with a seed lines are also evicted at
//!   random. The AICPU's threads share a coherent cache, so they load from memory: what a missing
//!   invalidate of theirs does is for virtual time to show.
//! - At any call an agent may yield or sleep ([`disturbance`]).
//!
//! A seed repeats what each agent does to itself, never how the threads interleave: replay is best
//! effort.
//!
//! # Time
//!
//! The system counter follows the wall clock, slowed down by agents ÷ CPUs, so that every limit of
//! the device is longer by as much ([`clock`]). Kernels last as long as they compute.
//!
//! # Errors
//!
//! A thread cannot be killed. The agents of a task that failed stop for good at their next call;
//! one that makes none goes on until the process ends. Either way the device takes no launch any
//! more until it is reset, which ends the process.
//!
//! # What is not here
//!
//! Faults of shared lines and of the host's buffers: virtual time makes them exact. `dead-core`,
//! `hung-kernel`, `aicpu-error`, `kill-at` and `close-at` are.

pub mod agent;
pub mod board;
pub mod clock;
pub mod crew;
pub mod device;
pub mod disturbance;
pub mod lines;
pub mod stores;
