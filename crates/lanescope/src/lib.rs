//! The facade a runtime depends on: platform choice, session wiring, the C API.
