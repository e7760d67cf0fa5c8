//! Devices that write nonsense, at any look of the host: one program, a module for each kind.

mod collectors;
mod endless;
mod kinds;
mod noise;
#[path = "../support/mod.rs"]
mod support;
