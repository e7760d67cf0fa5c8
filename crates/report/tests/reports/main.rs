//! Reports: one program, a module for each story.

mod analysis;
mod collectors;
mod hostile;
mod reference;
mod statistics;
#[path = "../../../capture/tests/support/mod.rs"]
mod support;
