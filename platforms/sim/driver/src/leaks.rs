//! Objects that were still alive when their device was reset.

use std::fmt::Display;
use std::io::Write as _;

/// Lines kept for `lanescope_sim_leaks`; the count goes on.
const MAX_LINES: usize = 1000;

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    count: u64,
    lines: Vec<String>,
}

impl Leaks {
    /// Counts one object and says so.
    pub(crate) fn report(&mut self, line: impl Display) {
        self.count += 1;
        say(format_args!("leaked {line}"));
        if self.lines.len() < MAX_LINES {
            self.lines.push(line.to_string());
        }
    }

    /// Objects so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// A line for each.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// One line to stderr. A closed stderr is no failure of the driver.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "lanescope-sim: {line}");
}
