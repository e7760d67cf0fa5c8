//! The device log: what each scheduler thread wrote about itself when it ended.
//!
//! Two sayings count, wherever they stand in a line of the log:
//! `Thread N: Scheduler summary: total_time=Xus, loops=Y, tasks_scheduled=Z` and
//! `Thread N: === Scheduler Phase Breakdown: total=Xus, Y tasks ===`, the latter followed by
//! `Thread N: complete: Xus …` of the same thread, one for each phase. All else is passed over: a log has many
//! other lines, and threads that write at one time cut each other's short. Of several runs in one log the
//! last counts.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// What a device log says of the scheduler.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceLog {
    /// By AICPU thread.
    pub threads: BTreeMap<u32, LogThread>,
}

/// One thread of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogThread {
    /// All its time, in microseconds.
    pub total_us: f64,
    /// Rounds of its loop, when the log says.
    pub loops: Option<u64>,
    /// Tasks it saw finished.
    pub completed: u64,
    /// Microseconds in `complete`, `dispatch`, `scan`, `idle`, when the log says.
    pub phases_us: Option<[f64; 4]>,
    /// What stands behind a phase's time, as it stands there.
    pub details: [String; 4],
}

/// A device log could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It could not be read.
    #[error("cannot read the device log")]
    Read(#[from] io::Error),
}

/// The phases in the order of [`LogThread::phases_us`].
pub(super) const PHASES: [&str; 4] = ["complete", "dispatch", "scan", "idle"];
/// Longer lines are cut: none that counts is as long.
const LINE_BYTES: u64 = 64 << 10;

impl DeviceLog {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn read(mut source: impl BufRead) -> Result<Self, LogError> {
        let mut log = Self::default();
        let mut bytes = Vec::new();
        while source
            .by_ref()
            .take(LINE_BYTES)
            .read_until(b'\n', &mut bytes)?
            > 0
        {
            log.line(&String::from_utf8_lossy(&bytes));
            bytes.clear();
        }
        Ok(log)
    }

    /// Whether it says anything of a scheduler.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Tasks that all threads saw finished.
    #[must_use]
    pub fn completed(&self) -> u64 {
        let completed = self.threads.values().map(|thread| thread.completed);
        completed.fold(0, u64::saturating_add)
    }

    /// The time of all threads, in microseconds.
    #[must_use]
    pub fn total_us(&self) -> f64 {
        self.threads.values().map(|thread| thread.total_us).sum()
    }

    fn line(&mut self, text: &str) {
        for (thread, said) in sayings(text) {
            let read = if let Some(said) = said.strip_prefix("Scheduler summary:") {
                self.summary(thread, said)
            } else if let Some(said) = said.strip_prefix("=== Scheduler Phase Breakdown:") {
                self.breakdown(thread, said)
            } else {
                self.phase(thread, said)
            };
            // What was cut short says nothing.
            read.unwrap_or_default();
        }
    }

    /// `total_time=Xus, loops=Y, tasks_scheduled=Z`; nothing of it when it was cut short.
    fn summary(&mut self, thread: u32, said: &str) -> Option<()> {
        let total_us = after(said, "total_time=").and_then(double)?;
        let loops = after(said, "loops=").and_then(whole)?;
        let completed = after(said, "tasks_scheduled=").and_then(whole)?;
        let entry = self.threads.entry(thread).or_default();
        (entry.total_us, entry.loops) = (total_us, Some(loops));
        entry.completed = completed;
        Some(())
    }

    /// `total=Xus, Y tasks`.
    fn breakdown(&mut self, thread: u32, said: &str) -> Option<()> {
        let total_us = after(said, "total=").and_then(double)?;
        let (_, tasks) = said.split_once(',')?;
        let completed = whole(tasks.trim_start())?;
        let entry = self.threads.entry(thread).or_default();
        (entry.total_us, entry.completed) = (total_us, completed);
        entry.phases_us = Some([0.0; 4]);
        entry.details = Default::default();
        Some(())
    }

    /// A line of a breakdown, if it is one and its heading was there.
    fn phase(&mut self, thread: u32, said: &str) -> Option<()> {
        let name = said.split([' ', ':', '\t']).next()?;
        let place = PHASES.iter().position(|&phase| phase == name)?;
        let rest = said[name.len()..].trim_start().strip_prefix(':')?;
        let rest = rest.trim_start();
        let time = double(rest)?;
        let entry = self.threads.get_mut(&thread)?;
        let detail = rest.split_once("us").map_or("", |(_, detail)| detail);
        entry.phases_us.as_mut()?[place] = time;
        entry.details[place] = detail.trim().to_owned();
        Some(())
    }
}

/// Every `Thread N:` of a line, and what stands behind it before the next.
fn sayings(text: &str) -> Vec<(u32, &str)> {
    let mut begins = Vec::new();
    for (place, name) in text.match_indices("Thread ") {
        let rest = &text[place + name.len()..];
        let thread = rest.split_once(':').and_then(|(number, said)| {
            let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
            let number = number.parse().ok().filter(|_| is_number)?;
            Some((number, text.len() - said.len()))
        });
        begins.extend(thread.map(|(number, from)| (place, number, from)));
    }
    let ends = begins.iter().skip(1).map(|&(place, ..)| place);
    let ends = ends.chain([text.len()]);
    let said = begins.iter().zip(ends);
    said.map(|(&(_, thread, from), to)| (thread, text[from..to].trim()))
        .collect()
}

/// What stands behind the first `key` of the text.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, rest)| rest)
}

/// The number of 0 or more a text begins with.
fn double(text: &str) -> Option<f64> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    text[..end.unwrap_or(text.len())]
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

fn whole(text: &str) -> Option<u64> {
    let end = text.find(|character: char| !character.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}
