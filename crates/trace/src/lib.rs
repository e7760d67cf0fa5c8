//! The waist: decoded events on one clock, and importers of other tools' files.
//!
//! # Where it sits
//!
//! Left of it: a capture (raw records) or a file of another tool. Right of it: exports and reports,
//! which see a [`Trace`] and nothing of a device. Every reader keeps the promises of [`Trace`].
//!
//! # What can be lost
//!
//! Nothing is dropped in silence: rows that cannot be placed are counted in [`Trace::notes`], times
//! that are not known stay 0 and are never averaged, and the verdict of the run travels with it.
//!
//! ```
//! use lanescope_trace::{Session, Task, Trace, TraceParts};
//!
//! let trace = Trace::new(TraceParts {
//!     session: Session::named("a2a3sim", 50_000_000),
//!     tasks: vec![Task { task_id: 7, start_ticks: 100, end_ticks: 150, ..Task::default() }],
//!     ..TraceParts::default()
//! });
//! assert_eq!(trace.tasks().next().and_then(|task| task.run_ticks()), Some(50));
//! ```

mod by_id;
pub mod capture;
mod edges;
mod error;
mod functions;
pub mod import;
pub mod json;
pub mod merge;
mod paged;
mod payload;
mod phase;
mod pmu;
pub mod reference;
mod rows;
mod scratch;
mod session;
mod sorter;
pub mod synth;
mod task;
mod tensor;
mod trace;

pub use by_id::TasksById;
pub use edges::EdgeTable;
pub use error::TraceError;
pub use functions::Functions;
pub use lanescope_abi::record::{Dtype, MAX_RANK, PMU_COUNTERS, Role, Stage};
pub use lanescope_abi::{Chip, CoreType, Kind, PmuCounter, PmuEvent};
pub use lanescope_capture::{Clock, CoreCounts, Counts, DeviceInfo, FindingKind, Outcome, Verdict};
pub use paged::Paged;
pub use phase::{Orchestrator, OrchestratorPhase, PhaseLoss, SchedulerPhase};
pub use pmu::{JoinedPmu, JoinedTask, PmuRow, PmuUnit};
pub use session::{Core, Session};
pub use task::{Task, lost_before, lost_between, task_label};
pub use tensor::{Payload, TensorRow};
pub use trace::{Note, Tasks, Trace, TraceParts};
