//! One row of each of the file's lists, as it is written there.

use super::{Scale, UNKNOWN_NS};
use crate::{Orchestrator, OrchestratorPhase, SchedulerPhase};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

#[derive(Deserialize)]
pub(crate) struct TaskRow {
    pub(crate) task_id: TaskId,
    pub(crate) func_id: u32,
    pub(crate) core_id: u16,
    pub(crate) core_type: CoreTypeName,
    pub(crate) start_time_us: Nanoseconds,
    pub(crate) end_time_us: Nanoseconds,
    #[serde(default)]
    pub(crate) dispatch_time_us: Nanoseconds,
    #[serde(default)]
    pub(crate) finish_time_us: Nanoseconds,
    #[serde(default)]
    pub(crate) fanout: Vec<TaskId>,
    pub(crate) fanout_count: Option<i64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CoreTypeName {
    Aic,
    Aiv,
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) struct SchedulerRow {
    pub(crate) start_time_us: Nanoseconds,
    pub(crate) end_time_us: Nanoseconds,
    pub(crate) phase: SchedulerPhaseName,
    #[serde(default)]
    pub(crate) loop_iter: u64,
    #[serde(default)]
    pub(crate) tasks_processed: u64,
    pub(crate) pop_hit: Option<u64>,
    pub(crate) pop_miss: Option<u64>,
}

impl SchedulerRow {
    pub(in crate::records_json) fn phase(&self, scale: &Scale) -> SchedulerPhase {
        SchedulerPhase {
            start_ticks: scale.at(self.start_time_us.0),
            end_ticks: scale.at(self.end_time_us.0),
            phase: self.phase.0,
            loop_iter: self.loop_iter,
            tasks_processed: self.tasks_processed,
            rounds: 0,
            pops: self.pop_hit.zip(self.pop_miss),
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) struct OrchestratorPhaseRow {
    pub(crate) start_time_us: Nanoseconds,
    pub(crate) end_time_us: Nanoseconds,
    pub(crate) phase: OrchestratorPhaseName,
    #[serde(default)]
    pub(crate) submit_idx: u64,
    pub(crate) task_id: TaskId,
}

impl OrchestratorPhaseRow {
    pub(in crate::records_json) fn phase(&self, scale: &Scale) -> OrchestratorPhase {
        OrchestratorPhase {
            start_ticks: scale.at(self.start_time_us.0),
            end_ticks: scale.at(self.end_time_us.0),
            phase: self.phase.0,
            submit_index: self.submit_idx,
            task_id: self.task_id.0,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) struct OrchestratorRow {
    pub(crate) start_time_us: Nanoseconds,
    pub(crate) end_time_us: Nanoseconds,
    pub(crate) submit_count: i64,
    pub(crate) phase_us: OrchestratorTotals,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct OrchestratorTotals {
    pub(crate) sync: Nanoseconds,
    pub(crate) alloc: Nanoseconds,
    pub(crate) params: Nanoseconds,
    pub(crate) lookup: Nanoseconds,
    pub(crate) heap: Nanoseconds,
    pub(crate) insert: Nanoseconds,
    pub(crate) fanin: Nanoseconds,
    pub(crate) scope_end: Nanoseconds,
}

impl OrchestratorTotals {
    /// In the order of [`Orchestrator::PHASES`].
    pub(crate) fn values(&self) -> [Nanoseconds; 8] {
        [
            self.sync,
            self.alloc,
            self.params,
            self.lookup,
            self.heap,
            self.insert,
            self.fanin,
            self.scope_end,
        ]
    }
}

impl OrchestratorRow {
    pub(in crate::records_json) fn totals(&self, scale: &Scale) -> Orchestrator {
        Orchestrator {
            start_ticks: scale.at(self.start_time_us.0),
            end_ticks: scale.at(self.end_time_us.0),
            submit_count: self.submit_count,
            phase_ticks: self.phase_us.values().map(|time| scale.span(time.0)),
        }
    }
}

/// A task id; the negative numbers some writers print are taken modulo 2^64.
#[derive(Clone, Copy)]
pub(crate) struct TaskId(pub(crate) u64);

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = TaskId;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a task id, an integer of 64 bits")
            }

            fn visit_u64<E>(self, id: u64) -> Result<TaskId, E> {
                Ok(TaskId(id))
            }

            fn visit_i64<E>(self, id: i64) -> Result<TaskId, E> {
                Ok(TaskId(id.cast_unsigned()))
            }
        }
        deserializer.deserialize_u64(IdVisitor)
    }
}

/// A time written in microseconds with three digits, as whole nanoseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Nanoseconds(pub(crate) u64);

/// Differences that wrapped below the base are printed as some 10^17 µs; nothing real is above this.
const LAST_REAL_US: f64 = 9e12;

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let us = f64::deserialize(deserializer)?;
        if us < 0.0 {
            return Err(D::Error::custom(format!(
                "{us}, expected microseconds since the file's base, not below 0"
            )));
        }
        if us > LAST_REAL_US {
            return Ok(Self(UNKNOWN_NS));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0..=9e15, whole, checked above"
        )]
        Ok(Self((us * 1000.0).round() as u64))
    }
}

/// A scheduler phase by its number.
#[derive(Clone, Copy)]
pub(crate) struct SchedulerPhaseName(pub(crate) u32);

impl<'de> Deserialize<'de> for SchedulerPhaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self(numbered(&SchedulerPhase::NAMES, 0, &name)))
    }
}

/// An orchestrator phase by its number.
#[derive(Clone, Copy)]
pub(crate) struct OrchestratorPhaseName(pub(crate) u32);

impl<'de> Deserialize<'de> for OrchestratorPhaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let names = &OrchestratorPhase::NAMES;
        Ok(Self(numbered(names, OrchestratorPhase::FIRST, &name)))
    }
}

/// The number of a name, `u32::MAX` when it has none.
fn numbered(names: &[&str], first: u32, name: &str) -> u32 {
    let position = names.iter().position(|&known| known == name);
    let position = position.and_then(|position| u32::try_from(position).ok());
    position.map_or(u32::MAX, |position| first + position)
}
