//! What goes wrong in the simulated driver, on purpose: one program, a module for each story.

mod ends;
mod fault;
mod kinds;
mod random;
