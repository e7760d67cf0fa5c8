//! `l2_perf_records.json`, versions 1 and 2, row by row; what its numbers mean is in [`crate::records_json`].

use super::draft::{Draft, Unit};
use super::json::{self, ByThread, Each, Keys, Object};
use crate::TraceError;
use crate::phase::{orchestrator_record, scheduler_record};
use crate::records_json::rows::{
    CoreTypeName, OrchestratorPhaseRow, OrchestratorRow, SchedulerRow, TaskRow,
};
use crate::records_json::{KEYS, UNKNOWN_NS, version};
use lanescope_abi::{Chip, CoreType, PhaseRecord, TaskRecord};
use serde::de::{Error, IgnoredAny, MapAccess};
use std::path::Path;

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut document = Document {
        draft,
        seen: Vec::new(),
        version: 0,
        threads: 0,
    };
    json::read(path, Object(&mut document))?;
    let (version, threads) = (document.version, document.threads);
    draft.platform = format!("l2_perf_records version {version}");
    // The reference writes one list for each AICPU thread the chip can have.
    let mut chips = Chip::ALL.into_iter();
    draft.chip = chips.find(|chip| chip.info().max_threads == threads);
    draft.unit = Some(Unit::Nanoseconds);
    Ok(())
}

struct Document<'a> {
    draft: &'a mut Draft,
    seen: Vec<&'static str>,
    version: u32,
    threads: u32,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str = "an object with the keys `version` and `tasks`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(&key) = KEYS.iter().find(|known| **known == key) else {
            return map.next_value::<IgnoredAny>().map(drop);
        };
        // The later of two lists must not take the place of the earlier in silence.
        if self.seen.contains(&key) {
            return Err(A::Error::duplicate_field(key));
        }
        self.seen.push(key);
        let draft = &mut *self.draft;
        match key {
            "version" => self.version = version(map.next_value()?)?,
            "tasks" => map.next_value_seed(Each::new("an array of task objects", |row| {
                task(draft, &row)
            }))?,
            "aicpu_scheduler_phases" => {
                let expected = "an array of arrays of scheduler phases";
                let rows = ByThread::new(expected, |thread, row: SchedulerRow| {
                    draft.phase(thread, scheduler(&row))
                });
                self.threads = map.next_value_seed(rows)?;
            }
            "aicpu_orchestrator" => {
                let row = map.next_value::<Option<OrchestratorRow>>()?;
                if let Some(row) = row {
                    let spans = row.phase_us.values().map(|time| time.0);
                    draft.see_spans(spans);
                    draft.see_spans([row.start_time_us.0, row.end_time_us.0]);
                    draft.orchestrator = Some(crate::Orchestrator {
                        start_ticks: time(row.start_time_us.0),
                        end_ticks: time(row.end_time_us.0),
                        submit_count: row.submit_count,
                        phase_ticks: spans,
                    });
                }
            }
            "aicpu_orchestrator_phases" => {
                let expected = "an array of arrays of orchestrator phases";
                let rows = ByThread::new(expected, |thread, row: OrchestratorPhaseRow| {
                    draft.phase(thread, orchestrator(&row))
                });
                map.next_value_seed(rows)?;
            }
            _ => {
                let mut core = 0_u32;
                map.next_value_seed(Each::new("an array of thread numbers", |thread: i64| {
                    let number = u16::try_from(core).map_err(|_| "more than 65536 cores")?;
                    draft.core(number).thread = u32::try_from(thread).ok();
                    core += 1;
                    Ok(())
                }))?;
            }
        }
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        let mut needed = KEYS[..2].iter();
        let missing = needed.find(|key| !self.seen.contains(key))?;
        Some(format!("missing field `{missing}`"))
    }
}

/// A draft's time: one more than the nanoseconds, 0 where it is not known.
const fn time(ns: u64) -> u64 {
    match ns {
        UNKNOWN_NS => 0,
        ns => ns + 1,
    }
}

fn task(draft: &mut Draft, row: &TaskRow) -> Result<(), String> {
    let core_type = match row.core_type {
        CoreTypeName::Aic => CoreType::Aic,
        CoreTypeName::Aiv => CoreType::Aiv,
    };
    let finish = match row.finish_time_us.0 {
        0 => 0,
        ns => time(ns),
    };
    let dispatch = match row.dispatch_time_us.0 {
        0 if finish == 0 => 0,
        ns => time(ns),
    };
    draft.task(TaskRecord {
        task_id: row.task_id.0,
        func_id: row.func_id,
        core: row.core_id,
        core_type: core_type as u8,
        dispatch_ticks: dispatch,
        start_ticks: time(row.start_time_us.0),
        end_ticks: time(row.end_time_us.0),
        finish_ticks: finish,
        ..TaskRecord::default()
    })?;
    for successor in &row.fanout {
        draft.edge(row.task_id.0, successor.0)?;
    }
    let listed = i64::try_from(row.fanout.len()).ok();
    if row.fanout_count.is_some() && row.fanout_count != listed {
        draft.note(
            1,
            "tasks whose fanout list does not hold fanout_count entries",
        );
    }
    Ok(())
}

fn scheduler(row: &SchedulerRow) -> PhaseRecord {
    let times = (time(row.start_time_us.0), time(row.end_time_us.0));
    let pops = row.pop_hit.zip(row.pop_miss);
    scheduler_record(row.phase.0, times, row.loop_iter, row.tasks_processed, pops)
}

fn orchestrator(row: &OrchestratorPhaseRow) -> PhaseRecord {
    let times = (time(row.start_time_us.0), time(row.end_time_us.0));
    orchestrator_record(row.phase.0, times, row.submit_idx, row.task_id.0)
}
