//! A run under construction: takes rows from importers in any order and writes them as a capture.
//!
//! Everything that grows with a file goes through a [`Sorter`]; what is kept beside them is a few words a
//! core, thread and function.

use super::edges::EdgeDraft;
use super::rows::{ByTime, Counted, Dumped, Half, Kernels, Phase};
use crate::sorter::Sorter;
use crate::trace::MAX_THREADS;
use crate::{Orchestrator, OrchestratorPhase};
use lanescope_abi::{Chip, CoreType, PhaseRecord, PmuRecord, TaskRecord};
use lanescope_capture::DeviceInfo;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Marks a record whose core is a number among those that no name tells.
pub(super) const UNNAMED: u8 = 1;
/// The run that an imported capture holds.
pub(super) const RUN_ID: u32 = 1;

/// What the times that importers hand over are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Raw ticks of a counter of this rate; 0 is unknown.
    Ticks(u64),
    /// Nanoseconds, the file's own base being [`BASE_NS`]; 0 is unknown.
    Nanoseconds,
}

/// Where a source's base is among the nanoseconds of a draft: times before it have a second of room.
pub(super) const BASE_NS: u64 = 1_000_000_000;

/// The number of a phase whose name says none.
const NO_PHASE: u32 = u32::MAX;
/// Names that mean nothing to us and are told one by one.
const MOST_TOLD_NAMES: usize = 16;

/// A run under construction.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where scratch files lie.
    pub(super) folder: PathBuf,
    /// What the source calls itself.
    pub(super) platform: String,
    /// The workload's name, where a source has one.
    pub(super) workload: String,
    pub(super) chip: Option<Chip>,
    pub(super) unit: Option<Unit>,
    /// Rate and first tick of the counter, where a file in nanoseconds says them.
    pub(super) counter: Option<(u64, u64)>,
    pub(super) level: Option<u32>,
    pub(super) pmu_event: Option<u32>,
    pub(super) orchestrator: Option<Orchestrator>,
    pub(super) functions: BTreeMap<u32, String>,
    pub(super) cores: Vec<DraftCore>,
    /// Of a merged run, in order of their cores.
    pub(super) devices: Vec<DeviceInfo>,
    /// Records that say another type of their core than is known of it.
    contrary_types: u64,
    unnamed_cores: u32,
    /// Whether every time in nanoseconds is one of the 50 MHz counter.
    pub(super) fits_slow_counter: bool,
    pub(super) phase_threads: BTreeSet<u32>,
    pub(super) pmu_threads: BTreeSet<u32>,
    pub(super) tasks: Sorter<ByTime>,
    /// What cores said of tasks, and what the scheduler did.
    pub(super) halves: (Sorter<Half>, Sorter<Half>),
    pub(super) kernels: Sorter<Kernels>,
    pub(super) phases: Sorter<Phase>,
    pub(super) counted: Sorter<Counted>,
    pub(super) dumped: Sorter<Dumped>,
    pub(super) payload: Option<File>,
    /// Tensors that the device counted and that are not in the dump.
    pub(super) dropped_tensors: u64,
    pub(super) edges: EdgeDraft,
    /// By what is counted, and a word of the source behind it.
    notes: BTreeMap<String, BTreeMap<String, u64>>,
    told_names: usize,
    /// Why a row could not be taken, for the reader to pick up.
    pub(super) failed: Option<io::Error>,
}

/// What is known of a core.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DraftCore {
    pub(super) core_type: Option<CoreType>,
    /// Whether a row of tasks speaks of it.
    pub(super) has_rows: bool,
    pub(super) thread: Option<u32>,
}

impl Draft {
    /// An empty one, whose scratch files lie in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            platform: String::new(),
            workload: String::new(),
            chip: None,
            unit: None,
            counter: None,
            level: None,
            pmu_event: None,
            orchestrator: None,
            functions: BTreeMap::new(),
            cores: Vec::new(),
            devices: Vec::new(),
            contrary_types: 0,
            unnamed_cores: 0,
            fits_slow_counter: true,
            phase_threads: BTreeSet::new(),
            pmu_threads: BTreeSet::new(),
            tasks: Sorter::new(folder),
            halves: (Sorter::new(folder), Sorter::new(folder)),
            kernels: Sorter::new(folder),
            phases: Sorter::new(folder),
            counted: Sorter::new(folder),
            dumped: Sorter::new(folder),
            payload: None,
            dropped_tensors: 0,
            edges: EdgeDraft::new(folder),
            notes: BTreeMap::new(),
            told_names: 0,
            failed: None,
        }
    }

    /// Counts something that could not be placed or had to be assumed; the text has words of its number as
    /// `[one|several]`.
    pub(super) fn note(&mut self, count: u64, text: &str) {
        self.note_word(count, text, "");
    }

    /// The same with a word of the source at the end of the text.
    pub(super) fn note_word(&mut self, count: u64, text: &str, word: &str) {
        if count == 0 {
            return;
        }
        let counted = self.notes.get_mut(text);
        match counted.and_then(|words| words.get_mut(word)) {
            Some(counted) => *counted = counted.saturating_add(count),
            None => {
                let words = self.notes.entry(text.to_owned()).or_default();
                words.insert(word.to_owned(), count);
            }
        }
    }

    /// Counts what has a name that means nothing; only so many names are told.
    pub(super) fn note_name(&mut self, what: &str, name: &str) {
        let shown: String = name.chars().take(40).collect();
        let shown = format!("`{shown}`");
        let text = format!("{what} of an unknown name, as ");
        let counted = self.notes.get(&text);
        if counted.is_none_or(|names| !names.contains_key(&shown)) {
            if self.told_names == MOST_TOLD_NAMES {
                let text = format!("{what} of [another unknown name|other unknown names]");
                return self.note(1, &text);
            }
            self.told_names += 1;
        }
        self.note_word(1, &text, &shown);
    }

    /// The number of a scheduler phase by its place among the known names; of another name it is none.
    pub(super) fn scheduler_phase(&mut self, place: Result<usize, &str>) -> u32 {
        self.phase_number("scheduler [phase|phases]", 0, place)
    }

    /// The same of the orchestrator; the reference itself calls those `unknown` that it has no name for.
    pub(super) fn orchestrator_phase(&mut self, place: Result<usize, &str>) -> u32 {
        match place {
            Err("unknown") => NO_PHASE,
            place => self.phase_number(
                "orchestrator [phase|phases]",
                OrchestratorPhase::FIRST,
                place,
            ),
        }
    }

    fn phase_number(&mut self, what: &str, first: u32, place: Result<usize, &str>) -> u32 {
        match place {
            Ok(place) => first + u32::try_from(place).expect("phases are few"),
            Err(name) => {
                self.note_name(what, name);
                NO_PHASE
            }
        }
    }

    /// What was counted, by its text.
    pub(super) fn notes(&self) -> BTreeMap<String, u64> {
        let mut notes = BTreeMap::new();
        for (text, words) in &self.notes {
            for (word, &count) in words {
                notes.insert(worded(text, count) + word, count);
            }
        }
        notes
    }

    /// The core with this number; it and those before it are made when they are new.
    pub(super) fn core(&mut self, core: u16) -> &mut DraftCore {
        let core = usize::from(core);
        if core >= self.cores.len() {
            self.cores.resize(core + 1, DraftCore::default());
        }
        &mut self.cores[core]
    }

    /// Takes the AICPU thread that owns a core; below 0 it is none.
    pub(super) fn own(&mut self, core: u16, thread: i128) -> Result<(), String> {
        self.core(core).thread = match thread < 0 {
            true => None,
            false => Some(believed(thread)?.into()),
        };
        Ok(())
    }

    /// Takes a whole task.
    pub(super) fn task(&mut self, record: TaskRecord) -> Result<(), String> {
        self.see_core(&record);
        self.see_times_of(&record);
        let pushed = self.tasks.push(ByTime(record));
        self.kept(pushed)
    }

    /// Takes a whole task of a core that no name tells, whose number is that among such cores.
    pub(super) fn unnamed_task(&mut self, record: TaskRecord) -> Result<(), String> {
        self.unnamed_cores = self.unnamed_cores.max(u32::from(record.core) + 1);
        self.see_times([record.start_ticks, record.end_ticks]);
        let pushed = self.tasks.push(ByTime(TaskRecord {
            reserved: UNNAMED,
            ..record
        }));
        self.kept(pushed)
    }

    /// Numbers the cores without a name behind those with one; which one the first is.
    pub(super) fn admit_unnamed(&mut self) -> usize {
        let first = self.cores.len();
        let unnamed = DraftCore {
            core_type: Some(CoreType::Aiv),
            ..DraftCore::default()
        };
        self.cores
            .resize(first + self.unnamed_cores as usize, unnamed);
        first
    }

    /// Takes what a core said of a task.
    pub(super) fn half_of_core(&mut self, half: Half) -> Result<(), String> {
        self.see_core(&half.record);
        self.see_times_of(&half.record);
        let pushed = self.halves.0.push(half);
        self.kept(pushed)
    }

    /// Takes what the scheduler did with a task.
    pub(super) fn half_of_scheduler(&mut self, half: Half) -> Result<(), String> {
        self.see_core(&half.record);
        self.see_times_of(&half.record);
        let pushed = self.halves.1.push(half);
        self.kept(pushed)
    }

    fn see_core(&mut self, record: &TaskRecord) {
        let core_type = CoreType::from_raw(u32::from(record.core_type));
        let core = self.core(record.core);
        let known = core.core_type.or(core_type);
        core.core_type = known;
        core.has_rows = true;
        self.contrary_types += u64::from(core_type.is_some_and(|said| known != Some(said)));
    }

    /// Leaves the devices out whose cores or threads are not those of the run: they would name those of others.
    pub(super) fn settle_devices(&mut self) {
        let sum = |count: fn(&DeviceInfo) -> u32| {
            let counts = self.devices.iter().map(count);
            counts.fold(0, u32::saturating_add)
        };
        let (cores, threads) = (sum(|device| device.cores), sum(|device| device.threads));
        if cores as usize == self.cores.len() && threads <= MAX_THREADS {
            return;
        }
        let count = self.devices.len() as u64;
        self.devices.clear();
        self.note(
            count,
            "[device|devices] whose cores and threads are not those of the run, taken for one",
        );
    }

    /// Gives every core a type, and counts what had to be assumed of those with rows.
    pub(super) fn settle_cores(&mut self) {
        let mut untold = 0;
        for core in &mut self.cores {
            untold += u64::from(core.core_type.is_none() && core.has_rows);
            core.core_type.get_or_insert(CoreType::Aiv);
        }
        self.note(
            untold,
            "[core|cores] with rows, whose type the source does not say, taken as aiv",
        );
        self.note(
            self.contrary_types,
            "[row that names another type for its core|rows that name another type for their cores] than was told before",
        );
    }

    /// Looks what counter the times fit.
    pub(super) fn see_times(&mut self, times: impl IntoIterator<Item = u64>) {
        let slow_ns = 1_000_000_000 / Chip::A2a3.info().ticks_per_second;
        let mut times = times.into_iter().filter(|&time| time != 0);
        self.fits_slow_counter &= times.all(|time| time.is_multiple_of(slow_ns));
    }

    fn see_times_of(&mut self, record: &TaskRecord) {
        self.see_times([
            record.dispatch_ticks,
            record.receive_ticks,
            record.start_ticks,
            record.end_ticks,
            record.finish_ticks,
        ]);
    }

    /// Looks what counter these durations fit.
    pub(super) fn see_spans(&mut self, spans_ns: impl IntoIterator<Item = u64>) {
        // The base fits any, and so does 0.
        self.see_times(spans_ns);
    }

    /// Takes a phase of a thread.
    pub(super) fn phase(&mut self, thread: u32, record: PhaseRecord) -> Result<(), String> {
        let thread = believed(thread.into())?;
        self.see_times([record.begin_ticks, record.end_ticks]);
        self.phase_threads.insert(thread.into());
        let pushed = self.phases.push(Phase(PhaseRecord {
            thread,
            run_id: RUN_ID,
            ..record
        }));
        self.kept(pushed)
    }

    /// Takes counters that a thread committed.
    pub(super) fn counters(&mut self, thread: u32, record: PmuRecord) -> Result<(), String> {
        let thread = believed(thread.into())?;
        let core_type = CoreType::from_raw(u32::from(record.core_type));
        let core = self.core(record.core);
        core.core_type = core.core_type.or(core_type);
        self.pmu_threads.insert(thread.into());
        let thread = u64::from(thread);
        let pushed = self.counted.push(Counted { thread, record });
        self.kept(pushed)
    }

    /// Takes an edge.
    pub(super) fn edge(&mut self, producer: u64, consumer: u64) -> Result<(), String> {
        let pushed = self.edges.push(producer, consumer);
        self.kept(pushed)
    }

    /// Keeps the reason of a failure; the text only stops whoever reads.
    pub(super) fn kept(&mut self, pushed: io::Result<()>) -> Result<(), String> {
        pushed.map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: io::Error) -> String {
        let text = error.to_string();
        self.failed = Some(error);
        text
    }

    /// Takes phases that had to wait for their thread's number.
    pub(super) fn waiting_phases(
        &mut self,
        thread: u32,
        waiting: Sorter<Phase>,
    ) -> Result<(), String> {
        let mut rows = waiting.finish().map_err(|error| self.fail(error))?;
        while let Some(Phase(record)) = rows.next().map_err(|error| self.fail(error))? {
            self.phase(thread, record)?;
        }
        Ok(())
    }
}

/// A text with the words of its number.
fn worded(text: &str, count: u64) -> String {
    let mut parts = text.split(['[', ']']);
    let mut worded = parts.next().unwrap_or_default().to_owned();
    while let Some(words) = parts.next() {
        let (one, several) = words.split_once('|').unwrap_or((words, words));
        worded += if count == 1 { one } else { several };
        worded += parts.next().unwrap_or_default();
    }
    worded
}

/// The number of an AICPU thread, if there can be one.
fn believed(thread: i128) -> Result<u16, String> {
    let number = u16::try_from(thread).ok();
    let number = number.filter(|&number| u32::from(number) < MAX_THREADS);
    number.ok_or_else(|| {
        let last = MAX_THREADS - 1;
        format!("AICPU thread {thread}, expected at most {last}")
    })
}
