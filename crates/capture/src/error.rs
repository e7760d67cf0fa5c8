//! What can go wrong with a capture file.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, CaptureError>;

/// A capture that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file could not be opened or mapped.
    #[error("cannot open capture {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A write failed; nothing more is written after it.
    #[error("cannot write block {ordinal} of the capture at byte {offset}")]
    Write {
        /// The block, 0 for the first; the file header counts as part of it.
        ordinal: u64,
        /// Where the block began.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The writer was used after a failed write.
    #[error("the capture takes no more blocks after an earlier write failed")]
    WriterFailed,
    /// The file took no block for too long.
    #[error("the capture took no block for {limit:?}")]
    Stalled {
        /// How long it was waited for.
        limit: std::time::Duration,
    },
    /// The bytes are no capture.
    #[error("not a capture: {reason}")]
    NotACapture {
        /// What was expected and what was found.
        reason: String,
    },
    /// The capture was written by a version this one cannot read.
    #[error("capture format {found} is not supported; this version reads format {expected}")]
    Version {
        /// The file's.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// A block is whole, its checksum holds, and yet its contents are not what its kind demands.
    #[error("block {ordinal} ({kind}) at byte {offset}: {reason}")]
    Malformed {
        /// The block's number in the file.
        ordinal: u64,
        /// Its kind.
        kind: &'static str,
        /// Where it begins.
        offset: u64,
        /// What was expected and what was found.
        reason: String,
    },
    /// The caller handed over a block that breaks the format.
    #[error("cannot write a block of {kind}: {reason}")]
    BadBlock {
        /// Its kind.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
