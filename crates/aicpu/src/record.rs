//! Record: what the cores have staged becomes records in the host's buffers.
//!
//! # Where it sits
//!
//! A scheduler (ours in [`crate::schedule`], or one in C++ through the C API) tells a [`Recorder`]
//! of every token it hands out and shows it every `COND` it reads. The recorder answers which tokens
//! have finished; committing their records, rotating buffers and counting losses happen inside and
//! cannot be asked for. With every collector off no capture region is touched: one predictable branch a
//! task.
//!
//! A collector is a record type and a lane: tasks, phases of the scheduler, hardware counters, tensors
//! with their bytes in an arena, and by [`OwnLane`] any other. Each works with the others off.
//!
//! # Ordering
//!
//! FIN (or a later ACK) seen, then slot line invalidated, then token, run and seal compared, then
//! record committed. Every attempt adds one to `total` first, then to exactly one of dropped or
//! mismatched, or the record goes into a buffer. Record, buffer count, ready entry, ready tail: each
//! visible before the next. Arena tail, payload, record likewise. Counters that the AICPU reads are read
//! between FIN and the core's next token.
//!
//! # What can be lost
//!
//! A record that needs a buffer when none is free, or a payload that needs room, by the lane's policy; it
//! is counted. What is in a buffer always stays.

mod arena;
mod attach;
mod buffers;
mod capture;
mod finished;
mod lane;
mod lanes;
mod own;
mod phases;
mod pmu;
mod queues;
mod recorder;
mod state;
mod status;
mod tasks;
mod tensors;
mod view;

pub use finished::Finished;
pub use own::{ByteLane, OwnLane};
pub use phases::Phase;
pub use recorder::Recorder;
pub use state::{RecordState, Task};
pub use status::Status;
pub use tensors::{Copied, TensorOwner};
