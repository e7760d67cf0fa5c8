//! `chip_swimlane_records.json` and its predecessor `l2_swimlane_records.json`: rows of raw ticks.
//!
//! What the core and what the scheduler said of a task are rows of their own, joined by run, core and the
//! core's dispatch number. Rows have 5 to 7 columns, or 4 to 5, by the age of the file; all are read.

use super::draft::{Draft, Unit};
use super::json::{self, ByThread, Each, Keys, Numbers, Object, Uint};
use super::rows::Half;
use crate::phase::{orchestrator_record, scheduler_record};
use crate::{OrchestratorPhase, SchedulerPhase, TraceError};
use lanescope_abi::{Chip, CoreType, TaskRecord};
use serde::Deserialize;
use serde::de::{Error, IgnoredAny, MapAccess};
use std::path::Path;

/// The names such a file has.
pub(super) const FILE_NAMES: [&str; 2] = ["chip_swimlane_records.json", "l2_swimlane_records.json"];

/// A core type that is not told with the row.
const UNTOLD: u8 = u8::MAX;

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut document = Document {
        draft,
        has_rate: false,
        has_tasks: false,
    };
    json::read(path, Object(&mut document))?;
    "chip_swimlane_records".clone_into(&mut draft.platform);
    Ok(())
}

struct Document<'a> {
    draft: &'a mut Draft,
    has_rate: bool,
    has_tasks: bool,
}

#[derive(Deserialize)]
struct Metadata {
    clock_freq_hz: u64,
    #[serde(default)]
    core_types: Vec<CoreTypeName>,
    #[serde(default)]
    core_to_thread: Vec<i64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CoreTypeName {
    Aic,
    Aiv,
}

#[derive(Deserialize)]
struct SchedulerRow {
    #[serde(alias = "phase")]
    kind: String,
    start_cycles: u64,
    end_cycles: u64,
    #[serde(default)]
    loop_iter: u64,
    #[serde(default)]
    tasks_processed: u64,
    pop_hit: Option<u64>,
    pop_miss: Option<u64>,
}

#[derive(Deserialize)]
struct OrchestratorRow {
    start_cycles: u64,
    end_cycles: u64,
    #[serde(default)]
    submit_idx: u64,
    #[serde(default)]
    task_id: Option<Uint>,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str = "an object with the keys `metadata` and `aicore_tasks`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let draft = &mut *self.draft;
        match key {
            "chip_swimlane_level" | "l2_swimlane_level" => draft.level = Some(map.next_value()?),
            "metadata" => {
                self.has_rate = true;
                metadata(draft, &map.next_value()?).map_err(A::Error::custom)?;
            }
            "aicore_tasks" => {
                self.has_tasks = true;
                let expected = "an array of rows [core, task, dispatch number, start, end, …]";
                map.next_value_seed(Each::new(expected, |row| of_core(draft, &row)))?;
            }
            "aicpu_tasks" => {
                let expected = "an array of rows [core, dispatch number, dispatch, finish, …]";
                map.next_value_seed(Each::new(expected, |row| of_scheduler(draft, &row)))?;
            }
            "scheduler_tasks" => map.next_value_seed(Object(&mut SchedulerTasks { draft }))?,
            "aicpu_scheduler_phases" => {
                let expected = "an array of arrays of scheduler phases";
                map.next_value_seed(ByThread::new(expected, |thread, row| {
                    scheduler(draft, thread, &row)
                }))?;
            }
            "scheduler_records" => map.next_value_seed(Object(&mut SchedulerRecords { draft }))?,
            "aicpu_orchestrator_phases" => {
                let expected = "an array of arrays of orchestrator phases";
                map.next_value_seed(ByThread::new(expected, |thread, row: OrchestratorRow| {
                    let task_id = row.task_id.map_or(u64::MAX, |id| id.0);
                    let times = (row.start_cycles, row.end_cycles);
                    let submit = OrchestratorPhase::SUBMIT;
                    draft.phase(
                        thread,
                        orchestrator_record(submit, times, row.submit_idx, task_id),
                    )
                }))?;
            }
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        let keys = [
            ("metadata", self.has_rate),
            ("aicore_tasks", self.has_tasks),
        ];
        let missing = keys.into_iter().find(|(_, is_there)| !is_there);
        missing.map(|(key, _)| format!("missing field `{key}`"))
    }
}

fn metadata(draft: &mut Draft, metadata: &Metadata) -> Result<(), String> {
    let rate = metadata.clock_freq_hz;
    if rate == 0 {
        return Err("clock_freq_hz 0, expected the rate of the ticks".to_owned());
    }
    let mut chips = Chip::ALL.into_iter();
    draft.chip = chips.find(|chip| chip.info().ticks_per_second == rate);
    draft.unit = Some(Unit::Ticks(rate));
    let cores = metadata.core_types.len().max(metadata.core_to_thread.len());
    let last = u16::try_from(cores.saturating_sub(1)).map_err(|_| "more than 65536 cores")?;
    if cores > 0 {
        draft.core(last);
    }
    for (core, name) in draft.cores.iter_mut().zip(&metadata.core_types) {
        core.core_type = Some(match name {
            CoreTypeName::Aic => CoreType::Aic,
            CoreTypeName::Aiv => CoreType::Aiv,
        });
    }
    for (core, &thread) in draft.cores.iter_mut().zip(&metadata.core_to_thread) {
        core.thread = u32::try_from(thread).ok();
    }
    Ok(())
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
    draft.half(Half {
        join: [run, u64::from(core), number],
        side: Half::OF_CORE,
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
    draft.half(Half {
        join: [run, u64::from(core), number],
        side: Half::OF_SCHEDULER,
        record: TaskRecord {
            core,
            core_type: UNTOLD,
            dispatch_ticks: dispatch,
            finish_ticks: finish,
            ..TaskRecord::default()
        },
    })
}

fn scheduler(draft: &mut Draft, thread: u32, row: &SchedulerRow) -> Result<(), String> {
    let known = SchedulerPhase::NAMES
        .iter()
        .position(|name| *name == row.kind);
    let phase = known.and_then(|phase| u32::try_from(phase).ok());
    if phase.is_none() {
        // Of a hostile file only so many names are told.
        let name: String = row.kind.chars().take(40).collect();
        draft.note(
            1,
            &format!("scheduler phases of an unknown name, as `{name}`"),
        );
    }
    let times = (row.start_cycles, row.end_cycles);
    let pops = row.pop_hit.zip(row.pop_miss);
    let phase = phase.unwrap_or(u32::MAX);
    draft.phase(
        thread,
        scheduler_record(phase, times, row.loop_iter, row.tasks_processed, pops),
    )
}

struct SchedulerTasks<'a> {
    draft: &'a mut Draft,
}

impl<'de> Keys<'de> for SchedulerTasks<'_> {
    const EXPECTED: &'static str = "an object with the key `records`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let draft = &mut *self.draft;
        match key {
            "records" => {
                let expected = "an array of rows [core, dispatch number, dispatch, finish, …]";
                map.next_value_seed(Each::new(expected, |row| of_scheduler(draft, &row)))
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

struct SchedulerRecords<'a> {
    draft: &'a mut Draft,
}

#[derive(Deserialize)]
struct Stream {
    scheduler_id: u32,
    records: Vec<SchedulerRow>,
}

impl<'de> Keys<'de> for SchedulerRecords<'_> {
    const EXPECTED: &'static str = "an object with the key `streams`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let draft = &mut *self.draft;
        match key {
            "streams" => {
                let expected = "an array of objects with `scheduler_id` and `records`";
                map.next_value_seed(Each::new(expected, |stream: Stream| {
                    let mut rows = stream.records.iter();
                    rows.try_for_each(|row| scheduler(draft, stream.scheduler_id, row))
                }))
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}
