//! What can go wrong while a trace is exported.

use lanescope_trace::{Chip, TraceError};

/// A trace could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output took no more bytes.
    #[error("cannot write the {format} output")]
    Write {
        /// The format's name.
        format: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The trace could not be read in the order of the format.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A time does not fit the format's clock.
    #[error("{ticks} ticks of {ticks_per_second} a second do not fit 63 bits of nanoseconds")]
    TimeOutOfRange {
        /// The time.
        ticks: u64,
        /// The counter's rate.
        ticks_per_second: u64,
    },
    /// The format cannot hold a trace without tasks.
    #[error("the {format} format needs at least one task, the trace has none")]
    NoTasks {
        /// The format's name.
        format: &'static str,
    },
    /// The format is for small graphs.
    #[error("the {format} format draws at most {limit} {what}, the trace has {count}")]
    TooLarge {
        /// The format's name.
        format: &'static str,
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many it draws.
        limit: u64,
    },
    /// The trace has no counters.
    #[error("the trace has no hardware counters: they were not collected in its run")]
    NoPmu,
    /// Counters of an event type that the chip does not have have no names.
    #[error("the {} has no PMU event type {event}", chip.name())]
    PmuEvent {
        /// The chip.
        chip: Chip,
        /// The number of the event type.
        event: u32,
    },
    /// The trace has no tensors.
    #[error("the trace has no tensors: they were not dumped in its run")]
    NoTensors,
}
