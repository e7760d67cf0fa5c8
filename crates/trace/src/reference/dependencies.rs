//! `deps.json`, version 2: the dependencies a runtime recorded beside its run.

use super::{TaskId, tasks};
use crate::TraceError;
use crate::json::{Members, Reader};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Every recorded edge once, by producer, each producer's in the order given.
#[derive(Clone, Debug, Default)]
pub struct Dependencies {
    rows: HashMap<TaskId, Range<u32>>,
    successors: Vec<TaskId>,
}

impl Dependencies {
    /// The name the file has in an output folder.
    pub const FILE_NAME: &str = "deps.json";

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`TraceError::Malformed`] with file, line, column and what was expected.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        Self::read(super::open(path)?, path)
    }

    /// Reads from any source; `path` is only what errors call it.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn read(source: impl Read, path: &Path) -> Result<Self, TraceError> {
        let mut reader = Reader::new(source, path);
        let mut members = Members::default();
        let mut pairs = None;
        let mut version = None;
        reader.begin_object()?;
        while let Some(member) = reader.member(&["version", "edges"], &mut members)? {
            match member {
                0 => version = Some(reader.number("version 2")?.value),
                1 => pairs = Some(edges(&mut reader)?),
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        if let Some(other) = version.filter(|&version| version != 2.0) {
            return Err(reader.error(format!("version {other}, expected 2")));
        }
        let pairs = pairs.ok_or_else(|| reader.error("the file ends without `edges`"))?;
        Self::of(&pairs)
    }

    fn of(pairs: &[(TaskId, TaskId)]) -> Result<Self, TraceError> {
        if u32::try_from(pairs.len()).is_err() {
            return Err(tasks::too_many("edges", pairs.len()));
        }
        let mut lists: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
        let mut seen = HashSet::new();
        for &(from, to) in pairs {
            if seen.insert((from, to)) {
                lists.entry(from).or_default().push(to);
            }
        }
        let mut dependencies = Self::default();
        for (from, list) in lists {
            let begin = dependencies.successors.len();
            dependencies.successors.extend(list);
            let place = |place| u32::try_from(place).expect("at most as many as pairs");
            let places = place(begin)..place(dependencies.successors.len());
            dependencies.rows.insert(from, places);
        }
        Ok(dependencies)
    }

    /// How many edges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.successors.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.successors.is_empty()
    }

    pub(super) fn successors(&self) -> impl Iterator<Item = TaskId> {
        self.successors.iter().copied()
    }

    pub(super) fn places(&self, task: TaskId) -> Range<u32> {
        self.rows.get(&task).cloned().unwrap_or_default()
    }
}

fn edges<R: Read>(reader: &mut Reader<R>) -> Result<Vec<(TaskId, TaskId)>, TraceError> {
    let mut pairs = Vec::new();
    let mut elements = Members::default();
    reader.begin_array()?;
    while reader.element(&mut elements)? {
        let (mut producer, mut consumer) = (None, None);
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&["pred", "succ"], &mut members)? {
            match member {
                0 => producer = Some(TaskId::read_any(reader)?),
                1 => consumer = Some(TaskId::read_any(reader)?),
                _ => reader.skip()?,
            }
        }
        let pair = producer.zip(consumer);
        pairs.push(pair.ok_or_else(|| reader.error("an edge ends without `pred` and `succ`"))?);
    }
    Ok(pairs)
}
