//! Stage 5: one file per output format.
//!
//! # Where it sits
//!
//! Takes a [`lanescope_trace::Trace`] and writes a file that other tools read. Each module holds one
//! format and offers a function `write`; nothing here knows where a trace came from.
//!
//! # What can be lost
//!
//! What a format has no room for is counted in the value `write` returns, never dropped in silence.
//!
//! # Errors
//!
//! [`ExportError`]. On an error the output is incomplete; the caller removes it.

pub mod chrome;
#[cfg(feature = "columns")]
pub mod columns;
pub mod csv;
pub mod dataset;
mod error;
mod flows;
mod losses;
pub mod merged_swimlane;
pub mod mermaid;
mod nests;
pub mod npy;
pub mod perfetto;
pub mod pmu_csv;
pub mod records_json;
pub mod tables;
pub mod tensor_dump;
mod text;

pub use error::ExportError;
