//! Why a workload cannot be built or is wrong.

use lanescope_trace::TraceError;
use std::fmt;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, WorkloadError>;

/// An error of whoever provides kernels or reads tensors back.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A workload that cannot be built, or whose numbers cannot be checked or are wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// There is no such workload.
    #[error("no workload named {name}; there are {known}")]
    UnknownWorkload {
        /// The name that was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A size that cannot be.
    #[error("{workload}: {option} is {value}, expected {expected}")]
    Size {
        /// The workload.
        workload: &'static str,
        /// The option, as the command line spells it.
        option: &'static str,
        /// What was asked for.
        value: u64,
        /// What is possible.
        expected: String,
    },
    /// A kernel is absent.
    #[error("{workload}: kernel {kernel} is not to be had")]
    Kernel {
        /// The workload.
        workload: &'static str,
        /// The kernel.
        kernel: &'static str,
        /// Why.
        source: AnyError,
    },
    /// A recording that cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A recording that cannot be replayed.
    #[error("replay {}: {reason}", .path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong; names task ids where there are any.
        reason: String,
    },
    /// A result could not be read back.
    #[error("{workload}: reading {tensor} back")]
    Read {
        /// The workload.
        workload: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Why.
        source: AnyError,
    },
    /// A result has the wrong length.
    #[error("{workload}: {tensor} has {found_bytes} bytes, expected {expected_bytes}")]
    Length {
        /// The workload.
        workload: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// Bytes that were read.
        found_bytes: u64,
        /// Bytes it should have.
        expected_bytes: u64,
    },
    /// A number is wrong.
    #[error("{0}")]
    Wrong(Box<WrongValues>),
}

/// Which values of a result are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongValues {
    /// The workload.
    pub workload: &'static str,
    /// The tensor.
    pub tensor: &'static str,
    /// Values that are out of tolerance.
    pub wrong: u64,
    /// Values that were compared.
    pub compared: u64,
    /// Where the first wrong one is, in the words of the workload.
    pub place: String,
    /// What the device computed there.
    pub found: String,
    /// What the host computed.
    pub expected: String,
    /// What difference was allowed.
    pub tolerance: String,
}

impl fmt::Display for WrongValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} of {} values of {} are wrong, first {}: {}, expected {} {}",
            self.workload,
            self.wrong,
            self.compared,
            self.tensor,
            self.place,
            self.found,
            self.expected,
            self.tolerance
        )
    }
}
