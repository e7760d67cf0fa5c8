//! What this process holds of the operating system: open files, threads, child processes.

use std::path::Path;
use std::time::{Duration, Instant};

/// Counts of what is open; two of them are equal when nothing was left behind in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Open file descriptors.
    pub files: usize,
    /// Threads.
    pub threads: usize,
    /// Child processes, ended ones that nobody has collected included.
    pub children: usize,
}

impl Resources {
    /// How long an ending thread may still be listed; only a hang needs so much.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// What is open now.
    ///
    /// # Panics
    ///
    /// Where there is no `/proc`.
    #[must_use]
    pub fn now() -> Self {
        let own = Path::new("/proc/self");
        let count = |name: &str| std::fs::read_dir(own.join(name)).expect("Linux").count();
        let tasks = std::fs::read_dir(own.join("task")).expect("Linux");
        let children = tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
            .map(|list| list.split_whitespace().count())
            .sum();
        Self {
            files: count("fd"),
            threads: count("task"),
            children,
        }
    }

    /// What is open as soon as it is `expected`, or else after a while.
    ///
    /// A thread that was joined may be listed a moment longer.
    #[must_use]
    pub fn settled(expected: Self) -> Self {
        let end = Instant::now() + Self::PATIENCE;
        loop {
            let now = Self::now();
            if now == expected || Instant::now() > end {
                return now;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
