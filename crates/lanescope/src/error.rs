//! What can go wrong before a session exists, and in the C API.

use lanescope_platform::PlatformError;
use lanescope_runtime::RuntimeError;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, LanescopeError>;

/// A platform or device that could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LanescopeError {
    /// No platform has this name.
    #[error("no platform is called {name}; this build knows {known}")]
    UnknownPlatform {
        /// What was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// Several platforms are possible and none was named.
    #[error("no platform was named, and this build knows {known}")]
    NoDefaultPlatform {
        /// Those there are.
        known: String,
    },
    /// The build folder is for another platform.
    #[error("build {folder} is for {build}, not for {platform}")]
    OtherBuild {
        /// The folder.
        folder: String,
        /// Its platform.
        build: String,
        /// The platform that was asked for.
        platform: String,
    },
    /// The device could not be opened.
    #[error("cannot open device {device} of {platform}")]
    Open {
        /// Its logical id.
        device: u32,
        /// The platform.
        platform: &'static str,
        /// Why.
        source: PlatformError,
    },
    /// A handle or argument given to the C API cannot be.
    #[error("{argument}: {reason}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// What is wrong with it and what is expected.
        reason: String,
    },
    /// The session or the graph refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl LanescopeError {
    /// What to do about it, when something is known; one line.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Open { source, .. } => source.hint(),
            Self::Runtime(source) => source.hint(),
            Self::NoDefaultPlatform { .. } => Some("name one, for example with --platform"),
            Self::OtherBuild { .. } => Some("build it with `cargo xtask build --platform NAME`"),
            _ => None,
        }
    }
}
