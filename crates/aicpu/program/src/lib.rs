//! The AICPU program a chip loads.
