//! What can go wrong while a trace is read.

use lanescope_capture::CaptureError;
use std::path::PathBuf;

/// A trace could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file could not be opened, mapped or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: line {line}, column {column}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 at the start of a line.
        column: usize,
        /// What was found and what was expected.
        message: String,
        /// The file ended where more had to come.
        is_cut: bool,
    },
    /// A capture could not be read.
    #[error("{}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: CaptureError,
    },
    /// A capture has no run.
    #[error("{}: the capture holds no run{}", path.display(), but_damage(damage))]
    NoRun {
        /// The file.
        path: PathBuf,
        /// Where bytes of it were left out first, and why, if any were.
        damage: Option<(u64, String)>,
    },
    /// The files given for one run only name or join what another file tells.
    #[error("{}: says nothing of when tasks ran or what they counted", path.display())]
    OnlyCompanions {
        /// The first.
        path: PathBuf,
    },
    /// A folder holds nothing that can be read.
    #[error(
        "{}: neither {} nor {}, nor another file that can be imported, is in this folder",
        path.display(),
        lanescope_capture::CAPTURE_FILE_NAME,
        crate::import::RECORDS_FILE_NAME
    )]
    NothingToRead {
        /// The folder.
        path: PathBuf,
    },
    /// A file is none that can be read.
    #[error("{}: neither a capture nor a file that can be imported", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file was packed by gzip.
    #[error("{}: packed by gzip", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// A file to import is a capture.
    #[error("{}: a capture already, nothing is to be imported", path.display())]
    IsCapture {
        /// The file, or the folder it lies in.
        path: PathBuf,
    },
    /// The capture that an import makes could not be written.
    #[error("cannot write the capture of an import")]
    Output {
        /// What went wrong.
        #[source]
        source: CaptureError,
    },
    /// Two of the files given for one run say when its tasks ran.
    #[error(
        "{}: {format}, and {} is {other_format}: only one file of a run can say when its tasks ran",
        path.display(),
        other.display()
    )]
    TwoTimelines {
        /// The second.
        path: PathBuf,
        /// Its format.
        format: crate::import::Format,
        /// The first.
        other: PathBuf,
        /// The first one's format.
        other_format: crate::import::Format,
    },
    /// Two of the files given for one run are of a kind that a run has once.
    #[error("{}: a second {format} beside {}, a run has only one", path.display(), other.display())]
    Second {
        /// The second.
        path: PathBuf,
        /// The first.
        other: PathBuf,
        /// The format of both.
        format: crate::import::Format,
    },
    /// The scratch file of an import could not be made, written or read.
    #[error("cannot use a scratch file in {}", folder.display())]
    Scratch {
        /// Where it lies.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A table outgrew its 32-bit index.
    #[error("{what}: {count} found, at most {limit} can be read")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many can be read.
        limit: u64,
    },
}

fn but_damage(damage: &Option<(u64, String)>) -> String {
    match damage {
        Some((offset, reason)) => format!(" that can be read: damaged at byte {offset}, {reason}"),
        None => String::new(),
    }
}

impl TraceError {
    /// What to do about it, when something is known; one line.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { is_cut: true, .. } => Some("give the whole file, as it was written"),
            Self::Capture { source, .. } => match source {
                CaptureError::NotACapture { .. } => Some(
                    "give the folder of a run, its capture.lanescope, or a records file that ends \
                     in .json",
                ),
                CaptureError::Version { .. } => {
                    Some("read the capture with the version that wrote it")
                }
                CaptureError::Malformed { .. } => {
                    Some("the file was changed after it was written; record the run again")
                }
                _ => None,
            },
            Self::TwoTimelines { .. } | Self::Second { .. } => {
                Some("give one of the two; each can be imported into a folder of its own")
            }
            Self::OnlyCompanions { .. } => Some("give the file of the run with it"),
            Self::Packed { .. } => Some("unpack it first: gzip -d"),
            Self::NoRun { damage: None, .. } => Some("the run ended before anything was recorded"),
            Self::NoRun { .. } => {
                Some("the file was changed or cut after it was written; record the run again")
            }
            _ => None,
        }
    }
}
