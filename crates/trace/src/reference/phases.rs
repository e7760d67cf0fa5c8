//! Phases of the scheduler and the orchestrator, and the orchestrator's totals.

use super::TaskId;
use crate::json::{Kind, Members, Number, Reader};
use crate::{OrchestratorPhase, SchedulerPhase, TraceError};
use std::io::Read;
use std::sync::Arc;

/// A phase's name: almost always a known one, which costs no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseName {
    /// Its place in [`SchedulerPhase::NAMES`] or [`OrchestratorPhase::NAMES`].
    Known(u8),
    /// Any other.
    Other(Arc<str>),
}

/// One phase of a scheduler thread. Times in microseconds since the file's base.
#[derive(Clone, Debug)]
pub struct SchedulerStep {
    /// When it began.
    pub start: Number,
    /// When it ended.
    pub end: Number,
    /// What was done.
    pub phase: PhaseName,
    /// The round of the thread's loop.
    pub loop_iter: i64,
    /// Tasks seen finished, or dispatched.
    pub tasks_processed: i64,
    /// Looks at ready queues that found a task, and that found none, where the file says.
    pub pops: Option<(u64, u64)>,
}

/// One step of the orchestrator. Times in microseconds since the file's base.
#[derive(Clone, Debug)]
pub struct OrchestratorStep {
    /// When it began.
    pub start: Number,
    /// When it ended.
    pub end: Number,
    /// What was done.
    pub phase: PhaseName,
    /// The submission it belongs to.
    pub submit_index: i64,
    /// The task it submits; [`TaskId::NONE`] where it is of no task.
    pub task_id: TaskId,
}

/// The orchestrator's totals.
#[derive(Clone, Debug)]
pub struct Summary {
    /// When it began.
    pub start: Number,
    /// When it ended.
    pub end: Number,
    /// Tasks submitted.
    pub submit_count: i64,
    /// Microseconds in each phase, in file order.
    pub phases: Vec<(String, Number)>,
}

impl SchedulerStep {
    /// The phase's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.phase.text(&SchedulerPhase::NAMES)
    }

    /// How long it took.
    #[must_use]
    pub fn duration(&self) -> Number {
        self.end.minus(self.start)
    }
}

impl OrchestratorStep {
    /// The phase's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.phase.text(&OrchestratorPhase::NAMES)
    }
}

impl PhaseName {
    fn text(&self, names: &[&'static str]) -> &str {
        match self {
            Self::Known(place) => names[usize::from(*place)],
            Self::Other(name) => name,
        }
    }

    fn read<R: Read>(reader: &mut Reader<R>, names: &[&str]) -> Result<Self, TraceError> {
        match reader.known_text(names, "a phase's name")? {
            Ok(place) => Ok(Self::Known(u8::try_from(place).expect("names are few"))),
            Err(name) => Ok(Self::Other(name.into())),
        }
    }
}

const A_TIME: &str = "a time in microseconds";
const A_COUNT: &str = "an integer of 64 bits";

/// One array per AICPU thread; `null` is none.
pub(super) fn by_thread<R: Read, S>(
    reader: &mut Reader<R>,
    step: impl Fn(&mut Reader<R>) -> Result<S, TraceError>,
) -> Result<Vec<Vec<S>>, TraceError> {
    let mut threads = Vec::new();
    if reader.null()? {
        return Ok(threads);
    }
    let mut outer = Members::default();
    reader.begin_array()?;
    while reader.element(&mut outer)? {
        let mut steps = Vec::new();
        let mut inner = Members::default();
        reader.begin_array()?;
        while reader.element(&mut inner)? {
            steps.push(step(reader)?);
        }
        threads.push(steps);
    }
    Ok(threads)
}

pub(super) fn scheduler_step<R: Read>(reader: &mut Reader<R>) -> Result<SchedulerStep, TraceError> {
    const NAMES: [&str; 7] = [
        "start_time_us",
        "end_time_us",
        "phase",
        "loop_iter",
        "tasks_processed",
        "pop_hit",
        "pop_miss",
    ];
    let (mut start, mut end, mut phase) = (None, None, None);
    let (mut loop_iter, mut tasks_processed) = (0, 0);
    let (mut hits, mut misses) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&NAMES, &mut members)? {
        match member {
            0 => start = Some(reader.number(A_TIME)?),
            1 => end = Some(reader.number(A_TIME)?),
            2 => phase = Some(PhaseName::read(reader, &SchedulerPhase::NAMES)?),
            3 => loop_iter = reader.integer_of(A_COUNT)?,
            4 => tasks_processed = reader.integer_of(A_COUNT)?,
            5 => hits = pops(reader)?,
            6 => misses = pops(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(SchedulerStep {
        start: given(reader, start, "start_time_us")?,
        end: given(reader, end, "end_time_us")?,
        phase: given(reader, phase, "phase")?,
        loop_iter,
        tasks_processed,
        pops: hits.zip(misses),
    })
}

/// How many looks at a queue; nothing where something else comes, which the converter does not look at.
fn pops<R: Read>(reader: &mut Reader<R>) -> Result<Option<u64>, TraceError> {
    match reader.kind()? {
        Kind::Number => {
            let number = reader.fixed(0, A_COUNT)?;
            Ok(u64::try_from(number.units).ok())
        }
        _ => reader.skip().map(|()| None),
    }
}

pub(super) fn orchestrator_step<R: Read>(
    reader: &mut Reader<R>,
) -> Result<OrchestratorStep, TraceError> {
    const NAMES: [&str; 5] = [
        "phase",
        "start_time_us",
        "end_time_us",
        "submit_idx",
        "task_id",
    ];
    let (mut phase, mut start, mut end) = (None, None, None);
    let (mut submit_index, mut task_id) = (0, TaskId::NONE);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&NAMES, &mut members)? {
        match member {
            0 => phase = Some(PhaseName::read(reader, &OrchestratorPhase::NAMES)?),
            1 => start = Some(reader.number(A_TIME)?),
            2 => end = Some(reader.number(A_TIME)?),
            3 => submit_index = reader.integer_of(A_COUNT)?,
            4 => task_id = TaskId::read(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(OrchestratorStep {
        start: given(reader, start, "start_time_us")?,
        end: given(reader, end, "end_time_us")?,
        phase: given(reader, phase, "phase")?,
        submit_index,
        task_id,
    })
}

/// The totals; none when they are `null` or an empty object.
pub(super) fn summary<R: Read>(reader: &mut Reader<R>) -> Result<Option<Summary>, TraceError> {
    const NAMES: [&str; 4] = ["start_time_us", "end_time_us", "submit_count", "phase_us"];
    if reader.null()? {
        return Ok(None);
    }
    let (mut start, mut end, mut submit_count) = (None, None, None);
    let mut phases = Vec::new();
    let mut is_empty = true;
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&NAMES, &mut members)? {
        is_empty = false;
        match member {
            0 => start = Some(reader.number(A_TIME)?),
            1 => end = Some(reader.number(A_TIME)?),
            2 => submit_count = Some(reader.integer_of(A_COUNT)?),
            3 => phases = totals(reader)?,
            _ => reader.skip()?,
        }
    }
    if is_empty {
        return Ok(None);
    }
    Ok(Some(Summary {
        start: given(reader, start, "start_time_us")?,
        end: given(reader, end, "end_time_us")?,
        submit_count: given(reader, submit_count, "submit_count")?,
        phases,
    }))
}

/// More phases than this no summary has; each is looked for among the others.
const MOST_PHASES: usize = 256;

fn totals<R: Read>(reader: &mut Reader<R>) -> Result<Vec<(String, Number)>, TraceError> {
    let mut phases: Vec<(String, Number)> = Vec::new();
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(name) = reader.any_member(&mut members)? {
        let time = reader.number(A_TIME)?;
        match phases.iter().position(|(known, _)| *known == name) {
            Some(place) => phases[place].1 = time,
            None if phases.len() == MOST_PHASES => {
                return Err(reader.error(format!("more than {MOST_PHASES} phases of a summary")));
            }
            None => phases.push((name, time)),
        }
    }
    Ok(phases)
}

fn given<R: Read, T>(reader: &Reader<R>, value: Option<T>, name: &str) -> Result<T, TraceError> {
    value.ok_or_else(|| reader.error(format!("the object ends without `{name}`")))
}
