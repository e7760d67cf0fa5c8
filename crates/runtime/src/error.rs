//! What can go wrong with a graph, a build or a run.

use lanescope_platform::PlatformError;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, RuntimeError>;

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
    #[error("{doing}: {source}")]
    Platform {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: PlatformError,
    },
}
