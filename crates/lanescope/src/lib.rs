//! The facade a runtime depends on: platform choice, session wiring, the C API.
//!
//! # Where it sits
//!
//! The only crate that names backends. A runtime enables the features of the chips it serves
//! (`a2a3`, `a5`; they add up), picks a platform by name, opens a device with a build folder and
//! runs graphs in a [`Session`]. C and C++ do the same through `lanescope.h`.
//!
//! ```no_run
//! use lanescope::{
//!     Arg, Build, Collectors, CoreType, Graph, OpenOptions, RunOptions, Session, SessionOptions,
//! };
//!
//! let build = Build::open("target/lanescope/a2a3sim-ring2-release")?;
//! let device = lanescope::platform("a2a3sim")?.open(&build, OpenOptions::default())?;
//! let mut session = Session::open(device, &build, &SessionOptions::default())?;
//!
//! let mut graph = Graph::new("scale");
//! let scale = graph.function("scale", 0, build.kernel("vector_mul")?);
//! let data = graph.tensor_from("data", &1f32.to_le_bytes());
//! graph.task(scale, CoreType::Aiv, &[Arg::Tensor(data), Arg::Scalar(1)]);
//!
//! let options = RunOptions { collectors: Collectors::swimlane(4), ..RunOptions::default() };
//! let outcome = session.run(&graph, &options)?;
//! println!("{} {:?}", outcome.verdict.outcome.name(), session.read(data)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Devices, sessions and threads
//!
//! - One process may have several devices open, of one chip and of both; they know nothing of each
//!   other, and one that fails leaves the others alone. Ids are logical: with
//!   `ASCEND_RT_VISIBLE_DEVICES=3,6` device 1 is the driver's device 6.
//! - A device opened again while it is open is the same device: memory allocated through one
//!   opening is there for the other, and it is closed with the last object that belongs to it,
//!   whatever is dropped first and on whichever thread.
//! - A [`Device`] may be used from several threads at once. A [`Session`] may move to another
//!   thread; it runs one graph at a time.
//! - Several sessions may share a device, each with its own run ids, tokens and captures. Their runs
//!   take turns: a run waits for the one before it as long as `Limits::sync` says, and is then
//!   refused with [`PlatformError::Busy`].
//! - A device on which a run has failed may be unusable until it is closed and opened again; every
//!   session on it then says so.
//!
//! # Errors
//!
//! [`LanescopeError`] for the choice of a platform; what comes later is a
//! [`RuntimeError`] of the session.

mod c_api;
mod error;
mod platforms;

pub use error::{LanescopeError, Result};
pub use lanescope_abi::capture::Policy;
pub use lanescope_abi::{Chip, ChipInfo, Kind, PmuEvent, Token};
pub use lanescope_capture::{CAPTURE_FILE_NAME, Outcome, VERDICT_FILE_NAME, Verdict};
pub use lanescope_platform::{
    Capability, Device, DeviceAddress, DeviceInfo, DeviceMemory, Launch, LaunchForm, Mapping,
    MappingExt, OpenOptions, Platform, PlatformError, Programs, StreamKind, Turn,
};
pub use lanescope_runtime::{
    Arg, Build, Collectors, CoreType, DeviceFailure, Dtype, DumpOptions, DumpSelection, FunctionId,
    Graph, LaneOptions, Limits, Manifest, MemoryCost, OwnCollector, PmuOptions, Progress, Role,
    RunOptions, RunOutcome, RuntimeError, Session, SessionOptions, Stage, SwimlaneOptions, TaskId,
    TensorId, TensorView, pmu_event,
};
pub use platforms::{NamedPlatform, default_platform, platform, platforms};

cfg_if::cfg_if! {
    if #[cfg(any(feature = "a2a3", feature = "a5"))] {
        /// The backends of this build, in the order their platforms are listed.
        fn backends() -> Vec<std::sync::Arc<dyn Platform>> {
            vec![
                #[cfg(feature = "a2a3")]
                std::sync::Arc::new(lanescope_a2a3::A2a3Platform),
                #[cfg(feature = "a5")]
                std::sync::Arc::new(lanescope_a5::A5Platform),
            ]
        }
    } else {
        compile_error!(
            "lanescope is built without a platform; write \
             `lanescope = { ..., features = [\"a2a3\"] }`, or \"a5\", or both"
        );

        fn backends() -> Vec<std::sync::Arc<dyn Platform>> {
            Vec::new()
        }
    }
}
