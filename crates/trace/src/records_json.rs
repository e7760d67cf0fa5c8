//! Reads `l2_perf_records.json`, versions 1 and 2, as the reference runtime writes it.
//!
//! The file holds microseconds since its own base, with three digits, and not the counter's rate.
//! Where every time is a multiple of 20 ns the ticks are those of the a2a3 counter (50 MHz), else
//! those of the a5 one (1 GHz): either way the conversion is exact. The base becomes tick
//! [`Session::origin_ticks`], one second, so that no known time is 0.
//!
//! A `dispatch_time_us` of 0 stands for an unknown time as well as for the base; it is taken as
//! unknown only when `finish_time_us` is 0 too.
//!
//! # What a file can make us allocate
//!
//! At most 64 bytes for each of its own and 1 MiB; a test counts them in the allocator. Nesting is
//! refused or passed over without recursion.
//!
//! # Errors
//!
//! [`TraceError::Malformed`] with file, line, column and what was expected. Nothing is kept of a
//! file that is refused.

pub(crate) mod rows;
mod scale;

use crate::{Core, EdgeTable, Note, Session, Task, Trace, TraceError, TraceParts};
use lanescope_abi::CoreType;
use rows::{CoreTypeName, OrchestratorPhaseRow, OrchestratorRow, SchedulerRow, TaskRow};
use scale::Scale;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "l2_perf_records.json";

/// Reads the file into a trace.
///
/// # Errors
///
/// As in the module's text.
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    let file = File::open(path).map_err(|source| TraceError::Read {
        path: path.to_owned(),
        source,
    })?;
    read_from(BufReader::with_capacity(1 << 20, file), path)
}

/// Reads from any source; `path` is only what errors call it.
///
/// # Errors
///
/// As in the module's text.
pub fn read_from(source: impl Read, path: &Path) -> Result<Trace, TraceError> {
    let mut json = serde_json::Deserializer::from_reader(source);
    let document = Document::deserialize(&mut json)
        .and_then(|document| json.end().map(|()| document))
        .map_err(|error| malformed(path, error))?;
    document.into_trace()
}

pub(crate) fn malformed(path: &Path, error: serde_json::Error) -> TraceError {
    let path = path.to_owned();
    if error.is_io() {
        let source = error.into();
        return TraceError::Read { path, source };
    }
    let (line, column) = (error.line(), error.column());
    let mut message = error.to_string();
    let position = format!(" at line {line} column {column}");
    if message.ends_with(&position) {
        message.truncate(message.len() - position.len());
    }
    TraceError::Malformed {
        path,
        line,
        column,
        message,
    }
}

/// Everything the file holds, times in nanoseconds since its base.
#[derive(Default)]
struct Document {
    version: u32,
    tasks: Rows,
    scheduler: Vec<Vec<SchedulerRow>>,
    orchestrator: Option<OrchestratorRow>,
    orchestrator_phases: Vec<Vec<OrchestratorPhaseRow>>,
    core_to_thread: Vec<i64>,
}

/// The task rows, taken one at a time, so that no row of text is kept.
#[derive(Default)]
struct Rows {
    /// Times in nanoseconds, [`UNKNOWN_NS`] where not known.
    tasks: Vec<Task>,
    edges: Vec<(u64, u64)>,
    short_fanouts: u64,
}

/// Stands for an unknown time until the rows have their origin.
pub(crate) const UNKNOWN_NS: u64 = u64::MAX;

impl Document {
    fn into_trace(self) -> Result<Trace, TraceError> {
        let scale = Scale::of(&self);
        let mut notes = Vec::new();
        if self.tasks.short_fanouts > 0 {
            notes.push(Note {
                count: self.tasks.short_fanouts,
                text: "tasks whose fanout list does not hold fanout_count entries".to_owned(),
            });
        }
        // It grows as distinct edges come: a list that repeats one must not cost more than it is long.
        let mut seen = HashSet::new();
        let mut edges = self.tasks.edges;
        edges.retain(|&edge| seen.insert(edge));
        drop(seen);
        let mut tasks = self.tasks.tasks;
        for task in &mut tasks {
            task.dispatch_ticks = scale.at(task.dispatch_ticks);
            task.start_ticks = scale.at(task.start_ticks);
            task.end_ticks = scale.at(task.end_ticks);
            task.finish_ticks = scale.at(task.finish_ticks);
        }
        let session = session(&self.core_to_thread, &tasks, self.version, &scale);
        let scheduler_phases = by_thread(&self.scheduler, |row| row.phase(&scale));
        let orchestrator_phases = by_thread(&self.orchestrator_phases, |row| row.phase(&scale));
        Ok(Trace::new(TraceParts {
            session,
            tasks,
            edges: EdgeTable::named(edges.iter().copied())?,
            scheduler_phases,
            orchestrator: self.orchestrator.map(|row| row.totals(&scale)),
            orchestrator_phases,
            notes,
            ..TraceParts::default()
        }))
    }
}

fn by_thread<R, P>(threads: &[Vec<R>], phase: impl Fn(&R) -> P) -> Vec<Vec<P>> {
    let threads = threads.iter();
    threads
        .map(|rows| rows.iter().map(&phase).collect())
        .collect()
}

fn session(core_to_thread: &[i64], tasks: &[Task], version: u32, scale: &Scale) -> Session {
    let mut session = Session::named(
        &format!("l2_perf_records version {version}"),
        scale.ticks_per_second,
    );
    session.chip = scale.chip;
    session.origin_ticks = scale.origin_ticks;
    session.cores = core_to_thread
        .iter()
        .map(|&thread| Core {
            core_type: CoreType::Aiv,
            thread: u32::try_from(thread).ok(),
            first_token: None,
        })
        .collect();
    for task in tasks {
        if let Some(core) = session.cores.get_mut(usize::from(task.core)) {
            core.core_type = task.core_type;
        }
    }
    let threads = session.cores.iter().filter_map(|core| core.thread);
    session.threads = threads.max().map_or(0, |last| last.saturating_add(1));
    session
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

/// The keys that are read; the first two must be there.
pub(crate) const KEYS: [&str; 6] = [
    "version",
    "tasks",
    "aicpu_scheduler_phases",
    "aicpu_orchestrator",
    "aicpu_orchestrator_phases",
    "core_to_thread",
];

pub(crate) fn version<E: serde::de::Error>(version: i64) -> Result<u32, E> {
    match version {
        1 => Ok(1),
        2 => Ok(2),
        _ => Err(E::custom(format!("version {version}, expected 1 or 2"))),
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object with the keys `version` and `tasks`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some(&key) = KEYS.iter().find(|known| **known == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            // The later of two lists must not take the place of the earlier in silence.
            if seen.contains(&key) {
                return Err(A::Error::duplicate_field(key));
            }
            seen.push(key);
            match key {
                "version" => document.version = version(map.next_value()?)?,
                "tasks" => document.tasks = map.next_value()?,
                "aicpu_scheduler_phases" => document.scheduler = map.next_value()?,
                "aicpu_orchestrator" => document.orchestrator = map.next_value()?,
                "aicpu_orchestrator_phases" => document.orchestrator_phases = map.next_value()?,
                _ => document.core_to_thread = map.next_value()?,
            }
        }
        for key in &KEYS[..2] {
            if !seen.contains(key) {
                return Err(A::Error::missing_field(key));
            }
        }
        Ok(document)
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an array of task objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::default();
        while let Some(row) = seq.next_element::<TaskRow>()? {
            rows.take(&row);
        }
        Ok(rows)
    }
}

impl Rows {
    fn take(&mut self, row: &TaskRow) {
        let core_type = match row.core_type {
            CoreTypeName::Aic => CoreType::Aic,
            CoreTypeName::Aiv => CoreType::Aiv,
        };
        let finish_ns = match row.finish_time_us.0 {
            0 => UNKNOWN_NS,
            ns => ns,
        };
        let dispatch_ns = match row.dispatch_time_us.0 {
            0 if finish_ns == UNKNOWN_NS => UNKNOWN_NS,
            ns => ns,
        };
        self.tasks.push(Task {
            task_id: row.task_id.0,
            func_id: row.func_id,
            core: row.core_id,
            core_type,
            dispatch_ticks: dispatch_ns,
            start_ticks: row.start_time_us.0,
            end_ticks: row.end_time_us.0,
            finish_ticks: finish_ns,
            ..Task::default()
        });
        let fanout = row.fanout.iter();
        self.edges.extend(fanout.map(|to| (row.task_id.0, to.0)));
        let listed = i64::try_from(row.fanout.len()).ok();
        if row.fanout_count.is_some() && row.fanout_count != listed {
            self.short_fanouts += 1;
        }
    }
}
