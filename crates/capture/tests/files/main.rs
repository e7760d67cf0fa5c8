//! Capture files: written, read back, cut, damaged and forged.

mod hostile;
mod recover;
mod roundtrip;
mod short_writes;
#[path = "../support/mod.rs"]
mod support;
