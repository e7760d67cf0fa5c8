//! Stage 1: what an AICore does with a token; the Rust reference of publish and the C++ executor.
//!
//! # Where it sits
//!
//! The AICore program is C++, because only the vendor's compiler makes code for an AICore: it stands
//! in `cpp/`, and the simulator runs the same sources. It takes tokens from `DATA_MAIN_BASE`, runs
//! kernels, leaves a slot in its staging ring for each token, and says so in `COND`; the AICPU
//! commits the slot. [`publish`] and [`publish_counted`] are that one step in Rust: what benches
//! measure, and what a test holds the C++ to, byte for byte and call for call.
//!
//! # Ordering
//!
//! Slot written, then its lines cleaned, then barrier, then FIN. The gate of the hardware counters is
//! opened right before the kernel and closed right behind it.
#![no_std]

mod publish;

pub use publish::{Counters, Times, publish, publish_counted};
