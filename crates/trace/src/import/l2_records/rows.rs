//! The rows of the file's lists, each handed to the draft as it is read.

use super::super::draft::{BASE_NS, Draft};
use super::super::json::{self, Source, Step, given};
use crate::json::{Fixed, Members};
use crate::phase::{orchestrator_record, scheduler_record};
use crate::{Orchestrator, OrchestratorPhase, SchedulerPhase, TraceError};
use lanescope_abi::{CoreType, TaskRecord};

/// Reads rows; keeps one row's successors until its id has come, and counts what is told of all rows in the end.
#[derive(Debug, Default)]
pub(super) struct Rows {
    successors: Vec<u64>,
    short_fanouts: u64,
    rounded_times: u64,
    early_times: u64,
    late_times: u64,
}

/// Differences that wrapped below the base are printed as some 10^17 µs; nothing real is above this, 104 days.
const LAST_REAL_NS: i128 = 9_000_000_000_000_000;
/// Successors of a task before its id.
const MOST_WAITING: usize = 1 << 20;
const A_TIME: &str = "microseconds since the file's base";
const A_PHASE: &str = "a phase's name";
const A_COUNT: &str = "an integer of 64 bits";
const A_TASK_ID: &str = "a task id, an integer of 64 bits";

const TASK: [&str; 11] = [
    "task_id",
    "func_id",
    "core_id",
    "core_type",
    "start_time_us",
    "end_time_us",
    "dispatch_time_us",
    "finish_time_us",
    "fanout",
    "fanout_count",
    // What they say is said by other members.
    "ring_id",
];
const STEP: [&str; 7] = [
    "start_time_us",
    "end_time_us",
    "phase",
    "loop_iter",
    "tasks_processed",
    "pop_hit",
    "pop_miss",
];
const SUBMISSION: [&str; 5] = [
    "phase",
    "start_time_us",
    "end_time_us",
    "submit_idx",
    "task_id",
];
const TOTALS: [&str; 4] = ["start_time_us", "end_time_us", "submit_count", "phase_us"];

impl Rows {
    /// Tells the draft what was counted.
    pub(super) fn tell(&self, draft: &mut Draft) {
        draft.note(
            self.short_fanouts,
            "[task|tasks] whose fanout list does not hold fanout_count entries",
        );
        draft.note(
            self.rounded_times,
            "[time|times] with parts of a nanosecond, rounded",
        );
        draft.note(
            self.early_times,
            "[time|times] a second or more before the file's base, taken as unknown",
        );
        draft.note(
            self.late_times,
            "[time|times] more than 104 days behind the file's base, taken as unknown",
        );
    }

    /// A draft's time, 0 where it is not known.
    fn time(&mut self, reader: &mut Source) -> Result<u64, TraceError> {
        let fixed = reader.fixed(3, A_TIME)?;
        Ok(self.draft_time(fixed))
    }

    fn draft_time(&mut self, fixed: Fixed) -> u64 {
        if fixed.units > LAST_REAL_NS {
            self.late_times += 1;
            return 0;
        }
        self.rounded_times += u64::from(fixed.is_rounded);
        let time = u64::try_from(fixed.units + i128::from(BASE_NS)).unwrap_or(0);
        self.early_times += u64::from(time == 0);
        time
    }

    /// A duration in nanoseconds; none is below 0.
    fn span(&mut self, reader: &mut Source) -> Result<u64, TraceError> {
        let fixed = reader.fixed(3, "microseconds")?;
        self.rounded_times += u64::from(fixed.is_rounded);
        Ok(u64::try_from(fixed.units).unwrap_or(0))
    }

    pub(super) fn task(&mut self, reader: &mut Source, draft: &mut Draft) -> Step {
        let (mut id, mut func_id, mut core, mut core_type) = (None, None, None, None);
        let (mut start, mut end) = (None, None);
        let (mut dispatch, mut finish) = (Fixed::ZERO, Fixed::ZERO);
        let (mut fanout_count, mut listed): (Option<i128>, i128) = (None, 0);
        self.successors.clear();
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&TASK, &mut members)? {
            match member {
                0 => id = Some(task_id(reader)?),
                1 => func_id = Some(reader.integer_of("a function id, an integer of 32 bits")?),
                2 => core = Some(reader.integer_of("a core index, 0 to 65535")?),
                3 => core_type = Some(of_core_type(reader)?),
                4 => start = Some(self.time(reader)?),
                5 => end = Some(self.time(reader)?),
                6 => dispatch = reader.fixed(3, A_TIME)?,
                7 => finish = reader.fixed(3, A_TIME)?,
                8 => json::each(reader, "an array of task ids", |reader| {
                    let successor = task_id(reader)?;
                    listed += 1;
                    match id {
                        Some(id) => {
                            let taken = draft.edge(id, successor);
                            taken.map_err(|text| reader.error(text))
                        }
                        None => self.wait(reader, successor),
                    }
                })?,
                9 => fanout_count = Some(reader.integer(A_COUNT)?),
                _ => reader.skip()?,
            }
        }
        let finish_ticks = match finish.is_zero {
            true => 0,
            false => self.draft_time(finish),
        };
        let dispatch_ticks = match dispatch.is_zero && finish_ticks == 0 {
            true => 0,
            false => self.draft_time(dispatch),
        };
        let core_type: CoreType = given(reader, core_type, "core_type")?;
        let task_id = given(reader, id, "task_id")?;
        let record = TaskRecord {
            task_id,
            func_id: given(reader, func_id, "func_id")?,
            core: given(reader, core, "core_id")?,
            core_type: core_type as u8,
            dispatch_ticks,
            start_ticks: given(reader, start, "start_time_us")?,
            end_ticks: given(reader, end, "end_time_us")?,
            finish_ticks,
            ..TaskRecord::default()
        };
        let mut taken = draft.task(record);
        for &successor in &self.successors {
            taken = taken.and_then(|()| draft.edge(task_id, successor));
        }
        self.short_fanouts += u64::from(fanout_count.is_some_and(|count| count != listed));
        taken.map_err(|text| reader.error(text))
    }

    /// Keeps a successor of a task whose id comes behind them.
    fn wait(&mut self, reader: &Source, successor: u64) -> Step {
        if self.successors.len() == MOST_WAITING {
            let text = format!("more than {MOST_WAITING} successors before their task's `task_id`");
            return Err(reader.error(text));
        }
        self.successors.push(successor);
        Ok(())
    }

    pub(super) fn scheduler(
        &mut self,
        reader: &mut Source,
        thread: u32,
        draft: &mut Draft,
    ) -> Step {
        let (mut start, mut end, mut phase) = (None, None, None);
        let (mut round, mut tasks) = (0, 0);
        let (mut hits, mut misses) = (None, None);
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&STEP, &mut members)? {
            match member {
                0 => start = Some(self.time(reader)?),
                1 => end = Some(self.time(reader)?),
                2 => phase = Some(reader.known_text(&SchedulerPhase::NAMES, A_PHASE)?),
                3 => round = reader.integer_of(A_COUNT)?,
                4 => tasks = reader.integer_of(A_COUNT)?,
                5 => hits = Some(reader.integer_of(A_COUNT)?),
                6 => misses = Some(reader.integer_of(A_COUNT)?),
                _ => reader.skip()?,
            }
        }
        let times = (
            given(reader, start, "start_time_us")?,
            given(reader, end, "end_time_us")?,
        );
        let phase = given(reader, phase, "phase")?;
        let phase = draft.scheduler_phase(phase.as_ref().copied().map_err(String::as_str));
        let record = scheduler_record(phase, times, round, tasks, hits.zip(misses));
        let taken = draft.phase(thread, record);
        taken.map_err(|text| reader.error(text))
    }

    pub(super) fn orchestrator_phase(
        &mut self,
        reader: &mut Source,
        thread: u32,
        draft: &mut Draft,
    ) -> Step {
        let (mut start, mut end, mut phase) = (None, None, None);
        let (mut submit, mut id) = (0, None);
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&SUBMISSION, &mut members)? {
            match member {
                0 => phase = Some(reader.known_text(&OrchestratorPhase::NAMES, A_PHASE)?),
                1 => start = Some(self.time(reader)?),
                2 => end = Some(self.time(reader)?),
                3 => submit = reader.integer_of(A_COUNT)?,
                4 => id = Some(task_id(reader)?),
                _ => reader.skip()?,
            }
        }
        let times = (
            given(reader, start, "start_time_us")?,
            given(reader, end, "end_time_us")?,
        );
        let phase = given(reader, phase, "phase")?;
        let phase = draft.orchestrator_phase(phase.as_ref().copied().map_err(String::as_str));
        let id = given(reader, id, "task_id")?;
        let taken = draft.phase(thread, orchestrator_record(phase, times, submit, id));
        taken.map_err(|text| reader.error(text))
    }

    /// The orchestrator's totals; none where the file says so.
    pub(super) fn orchestrator(
        &mut self,
        reader: &mut Source,
        draft: &mut Draft,
    ) -> Result<Option<Orchestrator>, TraceError> {
        if reader.null()? {
            return Ok(None);
        }
        let (mut start, mut end, mut submit_count) = (None, None, None);
        let mut phases = [0; Orchestrator::PHASES.len()];
        let mut is_empty = true;
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&TOTALS, &mut members)? {
            is_empty = false;
            match member {
                0 => start = Some(self.time(reader)?),
                1 => end = Some(self.time(reader)?),
                2 => submit_count = Some(reader.integer_of(A_COUNT)?),
                3 => {
                    let mut members = Members::default();
                    reader.begin_object()?;
                    while let Some(member) = reader.member(&Orchestrator::PHASES, &mut members)? {
                        match phases.get_mut(member) {
                            Some(phase) => *phase = self.span(reader)?,
                            None => reader.skip()?,
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        if is_empty {
            return Ok(None);
        }
        let totals = Orchestrator {
            start_ticks: given(reader, start, "start_time_us")?,
            end_ticks: given(reader, end, "end_time_us")?,
            submit_count: given(reader, submit_count, "submit_count")?,
            phase_ticks: phases,
        };
        draft.see_spans(phases);
        draft.see_times([totals.start_ticks, totals.end_ticks]);
        Ok(Some(totals))
    }
}

fn task_id(reader: &mut Source) -> Result<u64, TraceError> {
    let value = reader.integer(A_TASK_ID)?;
    let negative = || i64::try_from(value).map(i64::cast_unsigned);
    let id = u64::try_from(value).or_else(|_| negative());
    id.map_err(|_| reader.error(format!("{value}, expected {A_TASK_ID}")))
}

fn of_core_type(reader: &mut Source) -> Result<CoreType, TraceError> {
    let expected = "`aic` or `aiv`";
    match reader.one_of(&["aic", "aiv"], expected)? {
        0 => Ok(CoreType::Aic),
        1 => Ok(CoreType::Aiv),
        _ => Err(reader.error(format!("another core type, expected {expected}"))),
    }
}
