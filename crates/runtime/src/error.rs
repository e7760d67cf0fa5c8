//! What can go wrong with a graph, a build or a run.

use crate::failure::DeviceFailure;
use lanescope_platform::PlatformError;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = RuntimeError> = std::result::Result<T, E>;

/// A graph, build or run that cannot be, or that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A graph that cannot run.
    #[error("graph {graph}: {reason}")]
    Graph {
        /// The graph's name.
        graph: String,
        /// What is wrong; names the task where there is one.
        reason: String,
    },
    /// A build folder that cannot be used.
    #[error("build {}: {reason}", .path.display())]
    Build {
        /// The folder or the file in it.
        path: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A setting of a session or a run that cannot be.
    #[error("{option}: {reason}")]
    Option {
        /// The setting.
        option: &'static str,
        /// What is wrong with it and what is expected.
        reason: String,
    },
    /// The driver or the device refused something.
    #[error("{doing}")]
    Platform {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: PlatformError,
    },
    /// The device ended the run early and said why.
    #[error("{0}")]
    Device(Box<DeviceFailure>),
    /// The capture could not be written.
    #[error("cannot write {}", .path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The profiler could not be set up.
    #[error("cannot profile the run")]
    Profiling {
        /// Why.
        source: lanescope_profiling::ProfilingError,
    },
}

impl RuntimeError {
    /// What to do about it, when something is known; one line.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Platform { source, .. } => source.hint(),
            Self::Device(failure) => failure.hint(),
            _ => None,
        }
    }

    pub(crate) fn platform(doing: &'static str, source: PlatformError) -> Self {
        Self::Platform { doing, source }
    }
}
