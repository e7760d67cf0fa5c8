//! Runs on a device of ordinary memory: one program, a module for each story.

mod arenas;
mod failures;
mod known_faults;
mod layout;
mod orchestrator;
mod pool;
mod recorder;
mod recording;
#[path = "../support/mod.rs"]
mod support;
