//! The device log: what each scheduler thread wrote about itself when it ended.
//!
//! Two lines count, wherever they stand in a line of the log:
//! `Thread N: Scheduler summary: total_time=Xus, loops=Y, tasks_scheduled=Z` and
//! `Thread N: === Scheduler Phase Breakdown: total=Xus, Y tasks ===`, the latter followed by lines
//! `Thread N: complete: Xus …` of the same thread, one for each phase. Other lines are passed over: a log has
//! many. Of several runs in one log the last counts.

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
    /// A line that should hold numbers does not.
    #[error("line {line} of the device log: {text:?}, expected {expected}")]
    Malformed {
        /// From 1.
        line: usize,
        /// The begin of what was found.
        text: String,
        /// What should be there.
        expected: &'static str,
    },
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
        for number in 1_usize.. {
            bytes.clear();
            if source
                .by_ref()
                .take(LINE_BYTES)
                .read_until(b'\n', &mut bytes)?
                == 0
            {
                break;
            }
            let text = String::from_utf8_lossy(&bytes);
            log.line(&text)
                .map_err(|(text, expected)| LogError::Malformed {
                    line: number,
                    text: text.chars().take(80).collect(),
                    expected,
                })?;
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

    fn line<'a>(&mut self, text: &'a str) -> Result<(), (&'a str, &'static str)> {
        let Some((thread, said)) = of_thread(text) else {
            return Ok(());
        };
        if let Some(said) = said.strip_prefix("Scheduler summary:") {
            let expected = "total_time=Xus, loops=Y, tasks_scheduled=Z";
            let entry = self.threads.entry(thread).or_default();
            let total = after(said, "total_time=")
                .and_then(double)
                .ok_or((said, expected))?;
            let loops = after(said, "loops=")
                .and_then(whole)
                .ok_or((said, expected))?;
            let completed = after(said, "tasks_scheduled=").and_then(whole);
            entry.total_us = total;
            entry.loops = Some(loops);
            entry.completed = completed.ok_or((said, expected))?;
        } else if let Some(said) = said.strip_prefix("=== Scheduler Phase Breakdown:") {
            let expected = "total=Xus, Y tasks";
            let entry = self.threads.entry(thread).or_default();
            let total = after(said, "total=")
                .and_then(double)
                .ok_or((said, expected))?;
            let tasks = said
                .split_once(',')
                .and_then(|(_, tasks)| whole(tasks.trim_start()));
            entry.total_us = total;
            entry.completed = tasks.ok_or((said, expected))?;
            entry.phases_us = Some([0.0; 4]);
            entry.details = Default::default();
        } else {
            self.phase(thread, said);
        }
        Ok(())
    }

    /// A line of a breakdown, if it is one and its heading was there.
    fn phase(&mut self, thread: u32, said: &str) {
        let name = said.split([' ', ':', '\t']).next().unwrap_or("");
        let Some(place) = PHASES.iter().position(|&phase| phase == name) else {
            return;
        };
        let rest = said[name.len()..]
            .trim_start()
            .strip_prefix(':')
            .map(str::trim_start);
        let Some((rest, time)) = rest.and_then(|rest| Some((rest, double(rest)?))) else {
            return;
        };
        let Some(entry) = self.threads.get_mut(&thread) else {
            return;
        };
        if let Some(phases) = &mut entry.phases_us {
            phases[place] = time;
            let detail = rest.split_once("us").map_or("", |(_, detail)| detail);
            entry.details[place] = detail.trim().to_owned();
        }
    }
}

/// The thread a line is about, and what is said of it.
fn of_thread(text: &str) -> Option<(u32, &str)> {
    let (_, rest) = text.split_once("Thread ")?;
    let (number, said) = rest.split_once(':')?;
    Some((number.trim().parse().ok()?, said.trim()))
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
