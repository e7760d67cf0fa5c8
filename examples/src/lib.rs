//! Workloads: task graphs, their C++ kernels and the host checks that prove their numbers.
//!
//! # Where it sits
//!
//! Rightmost: `lanescope run` and the end-to-end tests open a workload by its options, build its
//! graph with the kernels of a build folder, run it, and let it check what comes back. The kernels
//! are in `examples/kernels`, one file each; what they cost in virtual time is in
//! `examples/README.md`.
//!
//! # Errors
//!
//! One enum, [`WorkloadError`]. Sizes that cannot be are refused before a graph is built.
//!
//! ```
//! use lanescope_examples::{Target, VectorOptions, Workload, WorkloadOptions};
//! use lanescope_abi::Chip;
//! use std::sync::Arc;
//!
//! let workload = WorkloadOptions::Vector(VectorOptions::default()).open()?;
//! // A build folder serves as well: it finds kernels by name.
//! let kernels = |_: &str| Ok(Arc::from([0u8].as_slice()));
//! let built = workload.build(&Target { kernels: &kernels, chip: Chip::A2a3.info() })?;
//! assert_eq!(built.graph.task_count(), 960);
//! # Ok::<(), lanescope_examples::WorkloadError>(())
//! ```

mod bgemm;
mod check;
mod content;
mod describe;
mod error;
mod options;
mod paged_attention;
mod replay;
mod vector;
mod workload;

pub use bgemm::{Bgemm, BgemmOptions};
pub use check::{Check, Tolerance};
pub use error::{AnyError, Result, WorkloadError, WrongValues};
pub use options::{WORKLOAD_NAMES, WorkloadOptions};
pub use paged_attention::{PagedAttention, PagedAttentionOptions};
pub use replay::{Replay, ReplayOptions};
pub use vector::{Vector, VectorOptions};
pub use workload::{Built, KERNEL_NAMES, Kernels, Target, Workload};
