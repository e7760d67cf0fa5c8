//! The capture file: write, read, recover; the verdict.
//!
//! # Where it sits
//!
//! `profiling` hands it drained buffers and the verdict, `runtime` hands it names, edges and session
//! facts; `trace` reads it. It knows no device and no thread. The layout is specified in
//! `docs/capture-format.md`; [`mod@format`] is the same in Rust.
//!
//! # What can be lost
//!
//! The file is append-only. After a crash at any byte it is readable to the last whole block; the
//! reader says what it left out ([`Damage`]). A run without a verdict block did not get to its end.
//!
//! # Errors
//!
//! [`CaptureError`]. A file of hostile bytes is an error or is reported as damage, never a panic.
//!
//! ```
//! use lanescope_capture::{Capture, CaptureWriter, SessionInfo, Verdict};
//!
//! let mut writer = CaptureWriter::new(Vec::new())?;
//! writer.session(&SessionInfo { run_id: 1, workload: "vector".into(), ..SessionInfo::default() })?;
//! writer.verdict(&Verdict::new(1))?;
//! writer.end_run(1)?;
//! let bytes = writer.into_inner()?;
//!
//! let capture = Capture::from_bytes(&bytes)?;
//! let run = capture.run(1)?.expect("the run was written");
//! assert_eq!(run.session().workload, "vector");
//! assert!(run.is_ended());
//! # Ok::<(), lanescope_capture::CaptureError>(())
//! ```

mod error;
mod file;
pub mod format;
mod names;
mod reader;
mod run;
mod session;
mod verdict;
mod writer;

pub use error::{CaptureError, Result};
pub use file::{CaptureFile, Pass};
pub use format::{BlockHeader, BlockKind, Clock, Edge, FileHeader, PayloadHeader};
pub use reader::{Block, Capture, Damage};
pub use run::CaptureRun;
pub use session::{DeviceInfo, FunctionName, LaneInfo, SessionInfo};
pub use verdict::{
    Abandoned, CoreCounts, Counts, Dropped, Finding, FindingKind, KindCounts, LaneCounts, Outcome,
    Verdict,
};
pub use writer::{CaptureWriter, PayloadBlock, RecordBlock};

/// The name a capture has in an output folder.
pub const CAPTURE_FILE_NAME: &str = "capture.lanescope";
/// The name a verdict has in an output folder.
pub const VERDICT_FILE_NAME: &str = "verdict.json";
