//! What every platform must pass, over the interfaces that ship.
//!
//! # Where it sits
//!
//! Right of everything. A [`Case`] runs one workload on one build folder from open to verdict;
//! [`timeline::faults`] then looks at every record of the capture, not only at counts.

mod case;
mod driver;
pub mod timeline;

pub use case::{Case, Finished, Folder, build_folder, exclusive};
pub use driver::SimulatedDriver;
