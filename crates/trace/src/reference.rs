//! `l2_perf_records.json` as it is written: every number kept as the text says.
//!
//! # Where it sits
//!
//! Beside [`crate::import`], which turns the same file into ticks. What must give the very
//! doubles that the reference's own tools give starts from here: the `merged_swimlane.json` export
//! and the reference's printed statistics.
//!
//! # Memory
//!
//! 72 bytes a task, 96 a phase, 8 a successor; the text is streamed, 4 MiB of it at a time.
//!
//! # Errors
//!
//! [`TraceError::Malformed`] with file, line, column and what was expected.

mod dependencies;
mod kernel_config;
mod names;
mod phases;
mod stretches;
mod tasks;
mod usual;

use crate::TraceError;
use crate::json::{Members, Reader};
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use dependencies::Dependencies;
pub use names::Names;
pub use phases::{OrchestratorStep, PhaseName, SchedulerStep, Summary};
pub use tasks::{TaskId, TaskRow, TaskTable};

/// Text at hand, which several threads share.
const BUFFER_BYTES: usize = 4 << 20;

/// Everything the file holds that its own tools look at.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// 1 or 2.
    pub version: u32,
    /// The task rows, in file order.
    pub tasks: TaskTable,
    /// The scheduler's phases by AICPU thread; empty in version 1.
    pub scheduler: Vec<Vec<SchedulerStep>>,
    /// The orchestrator's totals; none in version 1.
    pub orchestrator: Option<Summary>,
    /// The orchestrator's phases by AICPU thread; empty in version 1.
    pub orchestrator_phases: Vec<Vec<OrchestratorStep>>,
    /// The AICPU thread of each core, below 0 where none is assigned.
    pub core_to_thread: Vec<i64>,
    /// Whether successors were taken from recorded [`Dependencies`].
    pub has_dependencies: bool,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As in the module's text.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        Self::read(open(path)?, path)
    }

    /// Reads from any source; `path` is only what errors call it.
    ///
    /// # Errors
    ///
    /// As in the module's text.
    pub fn read(source: impl Read, path: &Path) -> Result<Self, TraceError> {
        const NAMES: [&str; 6] = [
            "version",
            "tasks",
            "aicpu_scheduler_phases",
            "aicpu_orchestrator",
            "aicpu_orchestrator_phases",
            "core_to_thread",
        ];
        let mut reader = Reader::with_buffer(source, path, BUFFER_BYTES);
        let mut members = Members::default();
        let mut document = Self::default();
        let mut has_tasks = false;
        reader.begin_object()?;
        while let Some(member) = reader.member(&NAMES, &mut members)? {
            match member {
                0 => document.version = version(&mut reader)?,
                1 => {
                    document.tasks = TaskTable::read(&mut reader)?;
                    has_tasks = true;
                }
                2 => document.scheduler = phases::by_thread(&mut reader, phases::scheduler_step)?,
                3 => document.orchestrator = phases::summary(&mut reader)?,
                4 => {
                    document.orchestrator_phases =
                        phases::by_thread(&mut reader, phases::orchestrator_step)?;
                }
                5 => document.core_to_thread = threads(&mut reader)?,
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        if document.version == 0 {
            return Err(reader.error("the file ends without `version`, expected 1 or 2"));
        }
        if !has_tasks {
            return Err(reader.error("the file ends without `tasks`, expected an array"));
        }
        if document.version == 1 {
            // That version has no phases, whatever else is in the file.
            document.scheduler.clear();
            document.orchestrator = None;
            document.orchestrator_phases.clear();
        }
        Ok(document)
    }

    /// Takes the successors of every task from what was recorded of them instead of the rows.
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when the edges outgrow 32 bits.
    pub fn set_dependencies(&mut self, dependencies: &Dependencies) -> Result<(), TraceError> {
        self.has_dependencies = true;
        self.tasks.set_successors(dependencies)
    }
}

fn open(path: &Path) -> Result<File, TraceError> {
    File::open(path).map_err(|source| TraceError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Written `2` or, as some writers do, `2.0`.
fn version<R: Read>(reader: &mut Reader<R>) -> Result<u32, TraceError> {
    let version = reader.number("version 1 or 2")?.value;
    let known = [(1.0, 1), (2.0, 2)];
    match known.into_iter().find(|(known, _)| *known == version) {
        Some((_, version)) => Ok(version),
        None => Err(reader.error(format!("version {version}, expected 1 or 2"))),
    }
}

fn threads<R: Read>(reader: &mut Reader<R>) -> Result<Vec<i64>, TraceError> {
    let mut threads = Vec::new();
    if reader.null()? {
        return Ok(threads);
    }
    let mut members = Members::default();
    reader.begin_array()?;
    while reader.element(&mut members)? {
        threads.push(reader.integer_of("the number of an AICPU thread, or -1")?);
    }
    Ok(threads)
}
