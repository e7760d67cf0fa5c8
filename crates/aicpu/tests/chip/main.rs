//! The scheduler, the recorder and the executor on a chip in miniature: one program, a module for each story.

#[cfg(not(lanescope_mutants))]
mod dag;
#[cfg(not(lanescope_mutants))]
mod hostile;
mod order;
mod panic;
mod phases;
mod pmu;
mod schedule;
#[path = "../support/mod.rs"]
mod support;
mod tensors;
mod waits;
