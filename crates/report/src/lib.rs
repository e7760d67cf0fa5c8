//! Stage 5: statistics of a run.
