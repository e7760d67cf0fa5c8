//! A progress bar on a terminal, for anything that takes longer than a second.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// What takes no longer than this shows no bar.
const QUIET: Duration = Duration::from_secs(1);

/// Progress over a number of tasks, on stderr; clones are one bar.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(doing: &'static str, tasks: u64) -> Self {
        let style = ProgressStyle::with_template(
            "lanescope: {msg} {wide_bar} {human_pos}/{human_len} tasks, {eta} left",
        )
        .expect("the template is well formed");
        // Hidden by itself where stderr is no terminal.
        let bar = ProgressBar::new(tasks).with_style(style);
        Self {
            bar: bar.with_message(doing),
        }
    }

    pub(crate) fn advance(&self, done: u64) {
        if self.bar.elapsed() > QUIET {
            self.bar.set_position(done);
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
