//! The tasks of a trace by id, however many there are.

use crate::sorter::{Rows, Sorted, Sorter};
use crate::task::mapped_task;
use crate::{Session, Task, Trace, TraceError};
use lanescope_abi::TaskRecord;
use std::io;
use std::path::PathBuf;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The tasks of a trace by id, those of one id by core; what ties keeps the order of [`Trace::tasks`].
///
/// What memory does not hold lies in a file without a name in the system's temporary folder.
#[derive(Debug)]
pub struct TasksById<'a> {
    rows: Rows<ById>,
    session: &'a Session,
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct ById(TaskRecord);

impl Sorted for ById {
    fn key(&self) -> [u64; 3] {
        [self.0.task_id, u64::from(self.0.core), 0]
    }
}

impl Trace {
    /// The tasks by id, those of one id by core. Memory does not grow with their number.
    ///
    /// # Errors
    ///
    /// [`TraceError::Scratch`] when the temporary folder takes no more; so does every step.
    pub fn tasks_by_id(&self) -> Result<TasksById<'_>, TraceError> {
        let folder = std::env::temp_dir();
        let failed = |source| scratch(folder.clone(), source);
        let mut sorter = Sorter::new(&folder);
        for task in self.tasks() {
            sorter.push(ById(task.record())).map_err(failed)?;
        }
        Ok(TasksById {
            rows: sorter.finish().map_err(failed)?,
            session: self.session(),
            folder,
        })
    }
}

impl Iterator for TasksById<'_> {
    type Item = Result<Task, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next() {
            Ok(row) => mapped_task(&row?.0, self.session).map(Ok),
            Err(source) => Some(Err(scratch(self.folder.clone(), source))),
        }
    }
}

fn scratch(folder: PathBuf, source: io::Error) -> TraceError {
    TraceError::Scratch { folder, source }
}
