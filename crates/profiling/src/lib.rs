//! Stages 3 and 4: buffer pool, drain and writer threads, collectors, reconcile.
//!
//! # Where it sits
//!
//! The device's `record` module commits records into the buffers of the capture region;
//! [`Profiler`] owns that region, drains it into a capture file while a run goes on, and says at the
//! end in a [`Verdict`](lanescope_capture::Verdict) whether everything arrived. `runtime` starts and
//! stops it around every launch.
//!
//! # Who writes what
//!
//! The host writes the whole region before the first launch. After that it writes the entries of
//! the free queues and the [`LaneHost`](lanescope_abi::LaneHost) lines, from the drain thread alone.
//!
//! # Threads
//!
//! Two while a run goes on: the drain thread, attached to the device, copies full buffers out of the
//! mapping, returns them at once and checks the copy; the writer thread appends the copies to the
//! capture. Between them is a bounded set of host blocks, so host memory is the same however long
//! the run. A [`Collector`] has no thread of its own. Payloads travel in pieces, before the records that
//! speak of them.
//!
//! # Ordering
//!
//! Ready tail, then entry, then buffer, then payloads, then arena tail, then ready head and arena head;
//! free entry, then free tail. On a mapping
//! that is not coherent each arrow is a copy that has returned.
//!
//! # What can be lost
//!
//! Nothing in silence. What the device dropped it has counted; what the host could not write, or
//! could not believe, is a finding of the verdict.
//!
//! # Errors
//!
//! [`ProfilingError`] for what keeps a run from starting; whatever goes wrong later is a finding, so
//! that a run that failed still yields what was captured.

mod arena;
mod collector;
mod drain;
mod dump;
mod error;
mod findings;
mod host_blocks;
#[cfg(all(test, loom))]
mod interleavings;
mod lane;
mod layout;
mod ledger;
mod phases;
mod pmu;
mod pool;
mod profiler;
mod queues;
mod reconcile;
mod recording;
mod region;
mod stats;
mod swimlane;
mod sync;
mod writer;

// What stands beside the tests in `tests/` calls this crate by its name.
#[cfg(all(test, not(loom), not(shuttle)))]
extern crate self as lanescope_profiling;
#[cfg(all(test, not(loom), not(shuttle)))]
#[path = "../tests/support/mod.rs"]
mod support;

pub use collector::{Collector, Expectation, LaneSettings, PayloadPlace};
pub use dump::Dump;
pub use error::{ProfilingError, Result};
pub use findings::Findings;
pub use layout::{CaptureLayout, RegionShape};
pub use ledger::{Ledger, RecordKey, RecordPart, SequenceKey};
pub use phases::Phases;
pub use pmu::Pmu;
pub use pool::{BufferState, Pool, PoolError};
pub use profiler::{Profiler, ProfilerOptions};
pub use reconcile::verdict_without_records;
pub use recording::{Recording, RunEnd, Stopped};
pub use stats::DrainStats;
pub use swimlane::Swimlane;
