//! What the processes and threads of a trace are, as its metadata says.

use super::core_numbers::CoreName;
use super::event::{Event, Number};
use std::collections::HashMap;

/// Threads, and processes, that are kept apart.
const MOST: usize = 1 << 16;

/// What a process shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shows {
    Kernels,
    Stays,
    Scheduler,
    Orchestrator,
    #[default]
    Anything,
}

impl Shows {
    fn of(name: &str) -> Self {
        match name {
            "AICore" | "AICore View" => Self::Kernels,
            "AICPU view" | "AICPU View" => Self::Stays,
            "AICPU scheduler" | "AICPU Scheduler" => Self::Scheduler,
            name if name.starts_with("AICPU ") => Self::Orchestrator,
            _ => Self::Anything,
        }
    }
}

/// The processes and threads that have been told of or had an event.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    processes: HashMap<Number, Process>,
    threads: HashMap<(Number, Number), Thread>,
}

#[derive(Debug, Default)]
struct Process {
    shows: Shows,
    /// An event was read as what the process shows.
    is_used: bool,
}

/// A thread of a process.
#[derive(Debug, Default)]
pub(super) struct Thread {
    /// Its own among all tracks.
    pub(super) track: u64,
    pub(super) named: Named,
    /// Which of the threads that are no core it is, once it has a slice.
    pub(super) unnamed: Option<u16>,
    /// Slices that have begun, the oldest first.
    #[expect(
        clippy::vec_box,
        reason = "most threads have one at most, and a list makes room for four"
    )]
    pub(super) open: Vec<Box<Event>>,
    is_used: bool,
}

/// What a thread's name says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) core: Option<CoreName>,
    /// Of an AICPU thread.
    pub(super) number: u32,
}

/// Metadata of a track whose events have been read as those of another.
#[derive(Debug)]
pub(super) struct Late;

impl Tracks {
    /// The thread of an event; `None` where there are too many.
    pub(super) fn thread(&mut self, event: &Event) -> Option<&mut Thread> {
        let next = self.threads.len();
        let key = event.track();
        if next == MOST && !self.threads.contains_key(&key) {
            return None;
        }
        let thread = self.threads.entry(key);
        Some(thread.or_insert_with(|| Thread {
            track: next as u64,
            ..Thread::default()
        }))
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.values()
    }

    /// What the process of an event shows, which from now on is settled.
    pub(super) fn shows(&mut self, event: &Event) -> Shows {
        if self.processes.len() == MOST && !self.processes.contains_key(&event.pid) {
            return Shows::Anything;
        }
        let process = self.processes.entry(event.pid).or_default();
        process.is_used = true;
        process.shows
    }

    /// What the thread of an event is called, which from now on is settled.
    pub(super) fn named(&mut self, event: &Event) -> Named {
        match self.thread(event) {
            Some(thread) => {
                thread.is_used = true;
                thread.named
            }
            None => Named::default(),
        }
    }

    /// The core of a thread, where its name says one.
    pub(super) fn core(&self, track: (Number, Number)) -> Option<CoreName> {
        self.threads.get(&track)?.named.core
    }

    pub(super) fn name_process(&mut self, event: &Event, name: &str) -> Result<(), Late> {
        if self.processes.len() == MOST && !self.processes.contains_key(&event.pid) {
            return Ok(());
        }
        let process = self.processes.entry(event.pid).or_default();
        let shows = Shows::of(name);
        let is_late = process.is_used && process.shows != shows;
        process.shows = shows;
        if is_late { Err(Late) } else { Ok(()) }
    }

    pub(super) fn name_thread(&mut self, event: &Event, name: &str) -> Result<(), Late> {
        let named = Named {
            core: CoreName::of(name),
            number: trailing_number(name).unwrap_or(0),
        };
        let process = self.processes.get(&event.pid);
        // Threads of any other process are what they are whatever they are called.
        let means_something = process.is_some_and(|process| process.shows != Shows::Anything);
        let Some(thread) = self.thread(event) else {
            return Ok(());
        };
        let is_late = means_something && thread.is_used && thread.named != named;
        thread.named = named;
        if is_late { Err(Late) } else { Ok(()) }
    }
}

fn trailing_number(name: &str) -> Option<u32> {
    let digits = name.rsplit(['_', ' ']).next()?;
    digits.parse().ok()
}
