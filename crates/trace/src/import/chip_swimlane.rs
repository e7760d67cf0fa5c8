//! `chip_swimlane_records.json` and its predecessor `l2_swimlane_records.json`: rows of raw ticks.
//!
//! What the core and what the scheduler said of a task are rows of their own, joined by run, core and the
//! core's dispatch number. Rows have 5 to 7 columns, or 4 to 5, by the age of the file; all are read.

use super::cores;
use super::draft::{Draft, Unit};
use super::input::Input;
use super::json::{self, Seen, Source, Step, given};
use super::rows::{Half, Phase};
use crate::json::Members;
use crate::phase::{orchestrator_record, scheduler_record};
use crate::sorter::Sorter;
use crate::{OrchestratorPhase, SchedulerPhase, TraceError};
use lanescope_abi::{Chip, CoreType, PhaseRecord, TaskRecord};
use std::ops::RangeInclusive;

/// The names such a file has.
pub(super) const FILE_NAMES: [&str; 2] = ["chip_swimlane_records.json", "l2_swimlane_records.json"];

/// A core type that is not told with the row.
const UNTOLD: u8 = u8::MAX;

const KEYS: [&str; 9] = [
    "chip_swimlane_level",
    "metadata",
    "aicore_tasks",
    "aicpu_tasks",
    "scheduler_tasks",
    "aicpu_scheduler_phases",
    "scheduler_records",
    "aicpu_orchestrator_phases",
    "l2_swimlane_level",
];
const A_COUNT: &str = "an integer of 64 bits";
const ROWS_OF_SCHEDULER: &str = "an array of rows [core, dispatch number, dispatch, finish, …]";

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let mut reader = json::open(input)?;
    let mut seen = Seen::default();
    let mut members = Members::default();
    let expected = "an object with the keys `metadata` and `aicore_tasks`";
    json::begin(&mut reader, expected)?;
    while let Some(member) = reader.member(&KEYS, &mut members)? {
        if member < KEYS.len() {
            seen.once(&reader, &KEYS, member)?;
        }
        let reader = &mut reader;
        match member {
            0 | 8 => draft.level = Some(reader.integer_of("a level, an integer of 32 bits")?),
            1 => metadata(reader, draft)?,
            2 => {
                let expected = "an array of rows [core, task, dispatch number, start, end, …]";
                json::each(reader, expected, |reader| {
                    let row = numbers::<7>(reader)?;
                    of_core(draft, &row).map_err(|text| reader.error(text))
                })?;
            }
            3 => json::each(reader, ROWS_OF_SCHEDULER, |reader| {
                let row = numbers::<5>(reader)?;
                of_scheduler(draft, &row).map_err(|text| reader.error(text))
            })?,
            4 => scheduler_tasks(reader, draft)?,
            5 => {
                let expected = "an array of arrays of scheduler phases";
                json::by_thread(reader, expected, |reader, thread| {
                    let record = scheduler(draft, &SchedulerRow::read(reader)?);
                    let taken = draft.phase(thread, record);
                    taken.map_err(|text| reader.error(text))
                })?;
            }
            6 => scheduler_records(reader, draft)?,
            7 => {
                let expected = "an array of arrays of orchestrator phases";
                json::by_thread(reader, expected, |reader, thread| {
                    orchestrator(reader, thread, draft)
                })?;
            }
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    seen.need(&reader, &KEYS, &[1, 2])?;
    "chip_swimlane_records".clone_into(&mut draft.platform);
    Ok(())
}

fn metadata(reader: &mut Source, draft: &mut Draft) -> Step {
    let names = ["clock_freq_hz", "core_types", "core_to_thread"];
    let mut rate = None;
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&names, &mut members)? {
        match member {
            0 => rate = Some(reader.integer_of("the rate of the ticks in Hz")?),
            1 => {
                let mut cores = 0..=u16::MAX;
                json::each(reader, "an array of `aic` and `aiv`", |reader| {
                    let core_type = core_type(reader)?;
                    let core = next_core(reader, &mut cores)?;
                    draft.core(core).core_type = Some(core_type);
                    Ok(())
                })?;
            }
            2 => cores::core_to_thread(reader, draft)?,
            _ => reader.skip()?,
        }
    }
    let rate: u64 = given(reader, rate, "clock_freq_hz")?;
    if rate == 0 {
        return Err(reader.error("clock_freq_hz 0, expected the rate of the ticks"));
    }
    let mut chips = Chip::ALL.into_iter();
    draft.chip = chips.find(|chip| chip.info().ticks_per_second == rate);
    draft.unit = Some(Unit::Ticks(rate));
    Ok(())
}

fn next_core(reader: &Source, cores: &mut RangeInclusive<u16>) -> Result<u16, TraceError> {
    let core = cores.next();
    core.ok_or_else(|| reader.error("more than 65536 cores"))
}

fn core_type(reader: &mut Source) -> Result<CoreType, TraceError> {
    match reader.one_of(&["aic", "aiv"], "`aic` or `aiv`")? {
        0 => Ok(CoreType::Aic),
        1 => Ok(CoreType::Aiv),
        _ => Err(reader.error("another core type, expected `aic` or `aiv`")),
    }
}

/// A row of whole numbers, and how many it has.
struct Numbers<const N: usize> {
    values: [u64; N],
    count: usize,
}

impl<const N: usize> Numbers<N> {
    fn values(&self) -> &[u64] {
        &self.values[..self.count]
    }
}

fn numbers<const N: usize>(reader: &mut Source) -> Result<Numbers<N>, TraceError> {
    let mut row = Numbers {
        values: [0; N],
        count: 0,
    };
    json::each(reader, "a row of whole numbers", |reader| {
        let value = reader.integer_of("a whole number of 64 bits, not below 0")?;
        let place = row.values.get_mut(row.count);
        *place.ok_or_else(|| reader.error(format!("more than {N} columns in a row")))? = value;
        row.count += 1;
        Ok(())
    })?;
    Ok(row)
}

fn core_of(number: u64) -> Result<u16, String> {
    u16::try_from(number).map_err(|_| format!("core {number}, expected at most {}", u16::MAX))
}

/// Core, task, dispatch number, start, end; then the ticks from receive to start, then the run.
fn of_core(draft: &mut Draft, row: &Numbers<7>) -> Result<(), String> {
    let &[core, task_id, number, start, end, ref rest @ ..] = row.values() else {
        let columns = row.values().len();
        return Err(format!("a row of {columns} columns, expected 5 to 7"));
    };
    let received = rest.first().and_then(|&wait| start.checked_sub(wait));
    let run = rest.get(1).copied().unwrap_or(0);
    let core = core_of(core)?;
    draft.half_of_core(Half {
        join: [run, u64::from(core), number],
        record: TaskRecord {
            task_id,
            core,
            core_type: UNTOLD,
            token: u32::try_from(number).unwrap_or(0),
            receive_ticks: received.unwrap_or(0),
            start_ticks: start,
            end_ticks: end,
            ..TaskRecord::default()
        },
    })
}

/// Core, dispatch number, dispatch, finish; then the run.
fn of_scheduler(draft: &mut Draft, row: &Numbers<5>) -> Result<(), String> {
    let &[core, number, dispatch, finish, ref rest @ ..] = row.values() else {
        let columns = row.values().len();
        return Err(format!("a row of {columns} columns, expected 4 or 5"));
    };
    let run = rest.first().copied().unwrap_or(0);
    let core = core_of(core)?;
    draft.half_of_scheduler(Half {
        join: [run, u64::from(core), number],
        record: TaskRecord {
            core,
            core_type: UNTOLD,
            dispatch_ticks: dispatch,
            finish_ticks: finish,
            ..TaskRecord::default()
        },
    })
}

fn scheduler(draft: &mut Draft, row: &SchedulerRow) -> PhaseRecord {
    let phase = draft.scheduler_phase(row.phase.as_ref().copied().map_err(String::as_str));
    let (round, tasks) = (row.loop_iter, row.tasks_processed);
    scheduler_record(phase, row.times, round, tasks, row.pops)
}

fn scheduler_tasks(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut members = Members::default();
    json::begin(reader, "an object with the key `records`")?;
    while let Some(member) = reader.member(&["records"], &mut members)? {
        match member {
            0 => json::each(reader, ROWS_OF_SCHEDULER, |reader| {
                let row = numbers::<5>(reader)?;
                of_scheduler(draft, &row).map_err(|text| reader.error(text))
            })?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn scheduler_records(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut members = Members::default();
    json::begin(reader, "an object with the key `streams`")?;
    while let Some(member) = reader.member(&["streams"], &mut members)? {
        match member {
            0 => {
                let expected = "an array of objects with `scheduler_id` and `records`";
                json::each(reader, expected, |reader| stream(reader, draft))?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// The phases of one thread. Those that come before its number wait for it.
fn stream(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut thread = None;
    let mut waiting = Sorter::new(&draft.folder);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&["scheduler_id", "records"], &mut members)? {
        match member {
            0 => thread = Some(reader.integer_of("the number of an AICPU thread")?),
            1 => json::each(reader, "an array of scheduler phases", |reader| {
                let record = scheduler(draft, &SchedulerRow::read(reader)?);
                let taken = match thread {
                    Some(thread) => draft.phase(thread, record),
                    None => {
                        let pushed = waiting.push(Phase(record));
                        draft.kept(pushed)
                    }
                };
                taken.map_err(|text| reader.error(text))
            })?,
            _ => reader.skip()?,
        }
    }
    let thread = given(reader, thread, "scheduler_id")?;
    let taken = draft.waiting_phases(thread, waiting);
    taken.map_err(|text| reader.error(text))
}

fn orchestrator(reader: &mut Source, thread: u32, draft: &mut Draft) -> Step {
    let names = ["submit_idx", "task_id", "start_cycles", "end_cycles"];
    let (mut submit_index, mut task_id) = (0, u64::MAX);
    let (mut start, mut end) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&names, &mut members)? {
        match member {
            0 => submit_index = reader.integer_of(A_COUNT)?,
            1 if reader.null()? => task_id = u64::MAX,
            1 => task_id = json::uint(reader, "a task id, an integer of 64 bits")?,
            2 => start = Some(reader.integer_of(A_COUNT)?),
            3 => end = Some(reader.integer_of(A_COUNT)?),
            _ => reader.skip()?,
        }
    }
    let start = given(reader, start, "start_cycles")?;
    let end = given(reader, end, "end_cycles")?;
    let submit = OrchestratorPhase::SUBMIT;
    let record = orchestrator_record(submit, (start, end), submit_index, task_id);
    draft
        .phase(thread, record)
        .map_err(|text| reader.error(text))
}

struct SchedulerRow {
    /// Its place among the known names, or another name.
    phase: Result<usize, String>,
    times: (u64, u64),
    loop_iter: u64,
    tasks_processed: u64,
    pops: Option<(u64, u64)>,
}

impl SchedulerRow {
    fn read(reader: &mut Source) -> Result<Self, TraceError> {
        let names = [
            "start_cycles",
            "end_cycles",
            "loop_iter",
            "kind",
            "tasks_processed",
            "pop_hit",
            "pop_miss",
            "phase",
        ];
        let (mut start, mut end, mut phase) = (None, None, None);
        let (mut loop_iter, mut tasks_processed) = (0, 0);
        let (mut hits, mut misses) = (None, None);
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&names, &mut members)? {
            match member {
                0 => start = Some(reader.integer_of(A_COUNT)?),
                1 => end = Some(reader.integer_of(A_COUNT)?),
                2 => loop_iter = reader.integer_of(A_COUNT)?,
                3 | 7 => {
                    phase = Some(reader.known_text(&SchedulerPhase::NAMES, "a phase's name")?);
                }
                4 => tasks_processed = reader.integer_of(A_COUNT)?,
                5 | 6 if reader.null()? => {}
                5 => hits = Some(reader.integer_of(A_COUNT)?),
                6 => misses = Some(reader.integer_of(A_COUNT)?),
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            phase: given(reader, phase, "kind")?,
            times: (
                given(reader, start, "start_cycles")?,
                given(reader, end, "end_cycles")?,
            ),
            loop_iter,
            tasks_processed,
            pops: hits.zip(misses),
        })
    }
}
