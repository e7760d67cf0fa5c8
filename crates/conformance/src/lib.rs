//! What every platform must pass, over the interfaces that ship.
//!
//! # Where it sits
//!
//! Right of everything. A [`Case`] runs one workload on one build folder from open to verdict;
//! [`timeline::faults`] then looks at every record of the capture, not only at counts.
//!
//! # The suite
//!
//! `tests/suite` holds the cases that every platform must pass, a file for each subject. They use
//! the facade alone, so `cargo xtask conformance --platform a2a3 --device 0` runs on hardware the
//! very cases that `cargo xtask test` runs on both simulated platforms. What can only be shown with
//! the simulator's settings is in the other files of `tests`.
//!
//! To add a case:
//!
//! 1. Write a function `fn what_holds(stand: &Stand) -> CaseResult` in the file of its subject. It
//!    opens the device itself ([`Stand::open`], [`Stand::session`], [`Stand::case`]) and leaves
//!    nothing behind.
//! 2. Add it to the list at the top of that file, with what it needs: a
//!    [`Capability`](lanescope::Capability) the device has or does without, or built programs.
//!    Where that is missing the case is reported as ignored, with the reason.
//! 3. If it is skipped on a simulated platform, add its name to that platform's list in
//!    `tests/suite/main.rs`: on a simulator nothing is skipped that is not listed there.

mod case;
mod driver;
mod gate;
mod resources;
mod stand;
pub mod timeline;

pub use case::{Case, Finished, Folder, build_folder, chain, exclusive};
pub use driver::SimulatedDriver;
pub use gate::Gate;
pub use resources::Resources;
pub use stand::{CaseResult, Need, Stand, SuiteCase, small, vector};
