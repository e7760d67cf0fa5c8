//! What can go wrong while a page is written.

/// A page could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The output took no more bytes.
    #[error("cannot write the page")]
    Write {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The times are too far apart for a browser's numbers.
    #[error("the run's times are {span_ticks} ticks apart, a page holds at most {limit_ticks}")]
    TimeOutOfRange {
        /// From the first known time to the last.
        span_ticks: u64,
        /// What a page holds.
        limit_ticks: u64,
    },
    /// There are more tasks than a browser opens.
    #[error("the run has {count} {what}, a page holds at most {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many a page holds.
        limit: u64,
    },
}
