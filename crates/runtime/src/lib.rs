//! Task graphs on a platform: build, launch, wait, copy back.
//!
//! # Where it sits
//!
//! A workload builds a [`Graph`]; a [`Build`] names the device programs and kernels that go with
//! it. Everything below reaches the chip through `lanescope-platform` and names no backend.
//!
//! # Errors
//!
//! One enum, [`RuntimeError`]. A graph that cannot run is refused before the device is touched.

mod build;
mod chosen;
mod clock;
mod collectors;
mod control;
mod error;
mod failure;
mod graph;
mod kernels;
mod layout;
mod options;
mod outcome;
mod own;
mod recording;
mod selection;
mod session;
mod tensors;
mod upload;
mod watch;

pub use build::{Build, MAX_IMAGE_BYTES, MAX_MANIFEST_BYTES, Manifest, Toolchains};
pub use collectors::{
    Collectors, DumpOptions, LaneOptions, MemoryCost, PmuOptions, SwimlaneOptions, pmu_event,
};
pub use error::{Result, RuntimeError};
pub use failure::{Agent, DeviceFailure, InFlight};
pub use graph::{Arg, FunctionId, Graph, TaskId, TensorId, TensorView};
pub use lanescope_abi::{CoreType, Dtype, Role, Stage};
pub use options::{Limits, RunOptions, SessionOptions};
pub use outcome::RunOutcome;
pub use own::OwnCollector;
pub use selection::DumpSelection;
pub use session::Session;
pub use watch::Progress;
