//! Stage 5: statistics of a run.
//!
//! # Where it sits
//!
//! Takes a [`lanescope_trace::Trace`] and reduces it to a [`Report`] in one pass; the report prints as
//! text ([`Report::text`]) and as JSON ([`Report::to_json`]).
//!
//! # What can be lost
//!
//! A time that is unknown, and a pair of times that runs backwards, is left out of every mean and
//! quantile and is counted beside it ([`Spread::unknown`]).
//!
//! ```
//! use lanescope_report::Report;
//! use lanescope_trace::synth::Synth;
//!
//! let trace = Synth { tasks: 100, ..Synth::default() }.trace()?;
//! let report = Report::of(&trace);
//! assert_eq!(report.functions.iter().map(|function| function.count).sum::<u64>(), 100);
//! println!("{}", report.text());
//! # Ok::<(), lanescope_trace::TraceError>(())
//! ```

mod circles;
mod collectors;
mod column;
pub mod compare;
mod dependencies;
mod doubts;
mod found;
mod held_up;
mod html;
mod limits;
mod measure;
mod members;
pub mod metrics;
mod occupation;
mod page;
mod path;
mod ranking;
pub mod reference;
mod report;
mod sorted;
pub mod tensor;
mod text;
mod threads;

pub use path::{CriticalPath, PathStep, PathWait};
pub use report::{
    CoreReport, CoreTypeReport, DeviceReport, DumpReport, FunctionReport, GapReport, IdleReport,
    LimitsReport, PartsReport, PathFunction, PathReport, PathStepReport, PhaseReport,
    PmuCounterReport, PmuFunctionReport, PmuReport, Report, SCHEMA, SchedulerReport, SessionReport,
    SlowTask, Spread, Stragglers, VerdictReport,
};
pub use text::printable;
