//! What can go wrong between the host and a device.

use crate::StreamKind;
use std::path::PathBuf;
use std::time::Duration;

/// Result of the trait layer.
pub type Result<T> = std::result::Result<T, PlatformError>;

/// A failure of the driver, the device or what was handed to them.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// No driver library could be loaded.
    #[error("vendor library {library} not found; tried {}", list(.tried))]
    DriverNotFound {
        /// The library that is missing.
        library: String,
        /// Every path that was tried, with the loader's reason.
        tried: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// The driver lacks functions that this platform needs.
    #[error("driver lacks {}; looked in {}", .names.join(", "), list(.libraries))]
    SymbolsMissing {
        /// Every missing name.
        names: Vec<String>,
        /// The libraries that were searched.
        libraries: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// A driver call failed.
    #[error("{call} failed with {code} ({name}){}{detail}", if .detail.is_empty() { "" } else { ": " })]
    Driver {
        /// The function.
        call: &'static str,
        /// Its return value.
        code: i64,
        /// The code's name, `unknown` when it has none.
        name: &'static str,
        /// The driver's own words; empty when it has none.
        detail: String,
        /// What usually causes it and what to do; empty when nothing is known.
        hint: &'static str,
    },
    /// A wait ran into its limit.
    #[error("{stream} stream not done after {limit:?}")]
    Timeout {
        /// What was waited for.
        stream: StreamKind,
        /// The limit.
        limit: Duration,
    },
    /// Another session of this process kept the device.
    #[error("device {device} still runs a graph of another session after {limit:?}")]
    Busy {
        /// Logical id.
        device: u32,
        /// How long it was waited for.
        limit: Duration,
    },
    /// An earlier failure made the device unusable.
    #[error("device {device} is unusable after an earlier failure: {cause}")]
    DevicePoisoned {
        /// Logical id.
        device: u32,
        /// The earlier failure.
        cause: String,
    },
    /// A device program was built for something else.
    #[error("{program} disagrees with the host on {field}: host {host}, device program {device}")]
    AbiMismatch {
        /// Which program.
        program: &'static str,
        /// What differs.
        field: &'static str,
        /// The host's value.
        host: String,
        /// The program's value.
        device: String,
    },
    /// The bytes of a program or kernel are not what they should be.
    #[error("{what} is not usable: {reason}")]
    BadProgram {
        /// Which program or kernel.
        what: String,
        /// Why.
        reason: String,
    },
    /// The caller asked for something that cannot be.
    #[error("{what}: {reason}")]
    Config {
        /// The setting.
        what: String,
        /// What is wrong with it and what is expected.
        reason: String,
    },
    /// This device cannot do it.
    #[error("{what} is not supported by this device: {reason}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A file of the build or the driver could not be read or written.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl PlatformError {
    /// What to do about it, when something is known; one line.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        let hint: &str = match self {
            Self::DriverNotFound { hint, .. } | Self::SymbolsMissing { hint, .. } => hint,
            Self::Driver { hint, .. } => hint,
            Self::AbiMismatch { .. } => {
                "build host and device programs together with `cargo xtask build`"
            }
            Self::Busy { .. } => "let the other run end first, or raise the sync limit",
            Self::DevicePoisoned { .. } => "close the session and open the device again",
            _ => "",
        };
        (!hint.is_empty()).then_some(hint)
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}
