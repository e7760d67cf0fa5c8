//! Sessions over a device of heap memory: one program, a module for each story.

mod builds;
mod collectors;
#[path = "../fake/mod.rs"]
mod fake;
mod files;
mod hostile;
mod runs;
mod waits;
