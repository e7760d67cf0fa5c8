//! One row of each of the file's lists, as it is written there.

use super::{Scale, UNKNOWN_NS};
use crate::{Orchestrator, OrchestratorPhase, SchedulerPhase};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

#[derive(Deserialize)]
pub(super) struct TaskRow {
    pub(super) task_id: TaskId,
    pub(super) func_id: u32,
    pub(super) core_id: u16,
    pub(super) core_type: CoreTypeName,
    pub(super) start_time_us: Nanoseconds,
    pub(super) end_time_us: Nanoseconds,
    #[serde(default)]
    pub(super) dispatch_time_us: Nanoseconds,
    #[serde(default)]
    pub(super) finish_time_us: Nanoseconds,
    #[serde(default)]
    pub(super) fanout: Vec<TaskId>,
    pub(super) fanout_count: Option<i64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CoreTypeName {
    Aic,
    Aiv,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct SchedulerRow {
    pub(super) start_time_us: Nanoseconds,
    pub(super) end_time_us: Nanoseconds,
    pub(super) phase: SchedulerPhaseName,
    #[serde(default)]
    pub(super) loop_iter: u64,
    #[serde(default)]
    pub(super) tasks_processed: u64,
    pub(super) pop_hit: Option<u64>,
    pub(super) pop_miss: Option<u64>,
}

impl SchedulerRow {
    pub(super) fn phase(&self, scale: &Scale) -> SchedulerPhase {
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
pub(super) struct OrchestratorPhaseRow {
    pub(super) start_time_us: Nanoseconds,
    pub(super) end_time_us: Nanoseconds,
    pub(super) phase: OrchestratorPhaseName,
    #[serde(default)]
    pub(super) submit_idx: u64,
    pub(super) task_id: TaskId,
}

impl OrchestratorPhaseRow {
    pub(super) fn phase(&self, scale: &Scale) -> OrchestratorPhase {
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
pub(super) struct OrchestratorRow {
    pub(super) start_time_us: Nanoseconds,
    pub(super) end_time_us: Nanoseconds,
    pub(super) submit_count: i64,
    pub(super) phase_us: OrchestratorTotals,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct OrchestratorTotals {
    pub(super) sync: Nanoseconds,
    pub(super) alloc: Nanoseconds,
    pub(super) params: Nanoseconds,
    pub(super) lookup: Nanoseconds,
    pub(super) heap: Nanoseconds,
    pub(super) insert: Nanoseconds,
    pub(super) fanin: Nanoseconds,
    pub(super) scope_end: Nanoseconds,
}

impl OrchestratorTotals {
    /// In the order of [`Orchestrator::PHASES`].
    pub(super) fn values(&self) -> [Nanoseconds; 8] {
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
    pub(super) fn totals(&self, scale: &Scale) -> Orchestrator {
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
pub(super) struct TaskId(pub(super) u64);

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
pub(super) struct Nanoseconds(pub(super) u64);

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
pub(super) struct SchedulerPhaseName(pub(super) u32);

impl<'de> Deserialize<'de> for SchedulerPhaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self(numbered(&SchedulerPhase::NAMES, 0, &name)))
    }
}

/// An orchestrator phase by its number.
#[derive(Clone, Copy)]
pub(super) struct OrchestratorPhaseName(pub(super) u32);

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
