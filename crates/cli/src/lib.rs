//! The lanescope command.
