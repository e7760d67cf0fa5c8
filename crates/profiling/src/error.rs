//! What keeps a run from being recorded.

use lanescope_capture::CaptureError;
use lanescope_platform::PlatformError;
use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, ProfilingError>;

/// A profiler that could not be opened or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfilingError {
    /// An option cannot be.
    #[error("{what}: {reason}")]
    Config {
        /// The option.
        what: &'static str,
        /// What is wrong with it and what is expected.
        reason: String,
    },
    /// The device refused.
    #[error("the capture region of the device is not usable: {0}")]
    Platform(#[from] PlatformError),
    /// The capture file could not be begun.
    #[error("the capture is not usable: {0}")]
    Capture(#[from] CaptureError),
    /// Another run of this profiler has not been stopped.
    #[error("run {run_id} is still being recorded; stop it before another is started")]
    Busy {
        /// That run.
        run_id: u32,
    },
    /// The drain thread of an earlier run ended in a panic and took the state of the lanes with it.
    #[error("the drain thread ended in a panic; open the profiler anew")]
    Lost,
    /// A thread could not be started.
    #[error("cannot start the {name} thread")]
    Thread {
        /// Which.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}
