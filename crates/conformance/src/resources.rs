//! What this process holds of the operating system: open files, threads, child processes.

use std::path::Path;
use std::time::{Duration, Instant};

/// Counts of what is open; two of them are equal when nothing was left behind in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Open file descriptors.
    pub files: usize,
    /// Threads of the project and of the simulated driver; the test runner has others, that come and
    /// go with other tests.
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
        let list = |name: &str| std::fs::read_dir(own.join(name)).expect("Linux");
        // A thread may end while it is looked at.
        let of_each = |name: &'static str| {
            let tasks = list("task").flatten();
            tasks.filter_map(move |task| std::fs::read_to_string(task.path().join(name)).ok())
        };
        let is_ours = |name: &String| name.starts_with("lanescope-") || name.starts_with("sim-");
        Self {
            files: list("fd").count(),
            threads: of_each("comm").filter(is_ours).count(),
            children: of_each("children")
                .map(|children| children.split_whitespace().count())
                .sum(),
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
