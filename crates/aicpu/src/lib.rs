//! Stage 2: record (commit, rotate, flush) and schedule (handshake, dispatch), for the chip's own CPUs.
//!
//! # Where it sits
//!
//! The host lays out the control region and, while a collector is on, the capture region; the AICPU
//! program's entries call [`schedule::run`] once per AICPU thread. [`record`] takes what the cores
//! have staged, hands full buffers to the host and knows no scheduler; [`schedule`] is our executor
//! and uses only what [`record`] exports. A scheduler in C++ uses the same through the C API of the
//! program.
//!
//! # Who writes what
//!
//! An AICPU thread writes its own status line, the order line and payload ring of each core it owns,
//! and in the capture region its lanes' device lines, ready entries, counters, buffers and arenas. Of a core's
//! registers it writes `DATA_MAIN_BASE`, and selectors and switches of its hardware counters. Fan-in
//! counters and ready queues belong to all AICPU threads together, who use ordinary atomics there.
//!
//! # Errors
//!
//! [`Failure`]: what goes into the thread's status line. It is written before the entry returns.
#![no_std]

mod control;
pub mod device;
mod failure;
pub mod record;
mod region;
pub mod schedule;

pub use control::Control;
pub use failure::Failure;

/// The most cores a launch has on any chip.
pub const MAX_CORES: usize = 108;

const _: () = {
    assert!(MAX_CORES >= lanescope_abi::chip::A2A3.max_cores as usize);
    assert!(MAX_CORES >= lanescope_abi::chip::A5.max_cores as usize);
};
