//! Schedule: our executor.
