//! Stage 5: a run as one self-contained page that a browser opens without a network.
//!
//! # Where it sits
//!
//! Takes a [`lanescope_trace::Trace`] and writes a page: `page/` holds what a browser runs, as plain
//! files; the run's facts are JSON in it, and its rows are columns of varints in base64. What each
//! column means is in `docs/view.md`. The page asks no server for anything, and its policy forbids it.
//!
//! # Who writes what
//!
//! Rows are core by core, those of a core in order of start; a row's place is its number in the page.
//! An edge goes from the first row of a task to the first row of another.
//!
//! # What can be lost
//!
//! Nothing in silence: what has no place in the page is counted in [`Written`] and in the notes that the
//! page shows. Memory grows with the page, about a dozen bytes a task, for rows of all cores come mixed.
//!
//! # Errors
//!
//! [`ViewError`]. When the page cannot hold the run, nothing has been written.

mod base;
mod columns;
mod counters;
mod data;
mod edges;
mod error;
mod facts;
mod losses;
mod page;
mod path;
mod phases;
mod tasks;

pub use error::ViewError;
pub use page::{Written, write};
