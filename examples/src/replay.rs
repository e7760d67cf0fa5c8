//! The graph of a recorded run, each task as long as it was there.
//!
//! Each row of the recording becomes one task with the row's function and core type. Rows with one
//! id are the parts of one task that ran on several cores: they share its edges, so that every
//! part of a producer comes before every part of a consumer. Where that would take more than
//! 4096 edges, the parts of the producer come before the first part of the consumer, and that one
//! before the others. Successors that have no row are dropped and counted.
//!
//! Every task marks that it ran, and how deep in the graph; the host compares the marks.

mod recording;

use crate::check::Comparison;
use crate::content::words_in;
use crate::options::{expect_between, expect_few, expect_fits};
use crate::workload::ResultTensor;
use crate::{Built, Check, Result, Target, Tolerance, Workload};
use lanescope_abi::{LINE_BYTES, MAX_TASK_ARGS};
use lanescope_runtime::{Arg, FunctionId, Graph, TaskId};
use recording::{Recording, Row};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) const NAME: &str = "replay";
/// A mark has a line of its own: its task may run on any core.
const MARK_BYTES: u64 = LINE_BYTES;
/// Predecessors whose marks a task reads; a list of arguments has room for no more.
const MARKS_READ: usize = MAX_TASK_ARGS as usize - 3;

/// What to replay.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ReplayOptions {
    /// A recording: an l2_perf_records.json
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Number of tasks: the graph is repeated, and its last copy cut [default: one whole copy]
    #[arg(long, value_name = "N")]
    pub tasks: Option<u64>,
}

/// The graph of a recorded run.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    tasks: u64,
}

impl Replay {
    /// Reads the recording and checks that its graph can run.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Trace`](crate::WorkloadError::Trace) when the file is not a recording;
    /// [`WorkloadError::Recording`](crate::WorkloadError::Recording) when it has no row, or its
    /// edges form a cycle, which it names; [`WorkloadError::Size`](crate::WorkloadError::Size).
    pub fn open(options: &ReplayOptions) -> Result<Self> {
        let recording = Recording::read(&options.file)?;
        let tasks = options.tasks.unwrap_or(recording.rows.len() as u64);
        expect_between(NAME, "--tasks", tasks, 1, crate::options::MAX_TASKS)?;
        expect_few(NAME, "--tasks", tasks, recording.rows.len() as u64)?;
        expect_fits(NAME, "--tasks", tasks, tasks * MARK_BYTES)?;
        Ok(Self { recording, tasks })
    }
}

impl Workload for Replay {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let rows = self.recording.rows.len();
        format!(
            "{} tasks from the {rows} of {}",
            self.tasks,
            self.recording.path.display()
        )
    }

    fn build(&self, target: &Target<'_>) -> Result<Built> {
        let rows = &self.recording.rows;
        let mut graph = Graph::new(NAME);
        let functions = self.functions(target, &mut graph)?;
        let marks = graph.tensor("marks", self.tasks * MARK_BYTES);
        let ids = Ids::new(rows, self.tasks);
        let ticks: Vec<u64> = rows
            .iter()
            .map(|row| row.ticks(self.recording.ticks_per_second, target.chip))
            .collect();
        let mut args = Vec::with_capacity(MAX_TASK_ARGS as usize);
        for number in 0..self.tasks {
            let (copy, place) = self.place(number);
            let first = number - place as u64;
            let mark = |place: u32| Arg::TensorAt(marks, (first + u64::from(place)) * MARK_BYTES);
            let row = &rows[place];
            let read = self.marks_read(place);
            args.clear();
            args.push(Arg::Scalar(ticks[place]));
            args.push(Arg::TensorAt(marks, number * MARK_BYTES));
            args.push(Arg::Scalar(read.len() as u64));
            args.extend(read.iter().map(|&place| mark(place)));
            let function = functions[&row.func_id];
            graph.task_with_id(function, row.core_type, &args, ids.of(copy, place, row));
            // A copy may be cut, but never between a task and its predecessors: they come first.
            for &predecessor in self.recording.predecessors(place) {
                let from = first + u64::from(predecessor);
                graph.edge(task_id(from), task_id(number));
            }
        }
        let mut warnings = self.recording.warnings.clone();
        warnings.extend(ids.warning());
        let depths = self.depths();
        let copy_length = rows.len();
        let compare = move |found: &[u8]| compare_marks(&depths, copy_length, found);
        Ok(Built {
            graph,
            warnings,
            results: vec![ResultTensor {
                name: "marks",
                tensor: marks,
                compare: Box::new(compare),
            }],
            workload: NAME,
        })
    }
}

impl Replay {
    fn functions(
        &self,
        target: &Target<'_>,
        graph: &mut Graph,
    ) -> Result<BTreeMap<u32, FunctionId>> {
        let mut functions = BTreeMap::new();
        for (&func_id, name) in &self.recording.functions {
            let function = target.function(NAME, graph, func_id, name, "replay")?;
            functions.insert(func_id, function);
        }
        Ok(functions)
    }

    /// The copy a task belongs to, and the row it stands for.
    fn place(&self, number: u64) -> (u64, usize) {
        let rows = self.recording.rows.len() as u64;
        let place = usize::try_from(number % rows).expect("an index of a vector");
        (number / rows, place)
    }

    /// The predecessors whose marks a task reads.
    fn marks_read(&self, place: usize) -> &[u32] {
        let predecessors = self.recording.predecessors(place);
        &predecessors[..predecessors.len().min(MARKS_READ)]
    }

    /// How deep each row is in the graph, as the marks count it.
    fn depths(&self) -> Vec<u32> {
        let mut depths = vec![0; self.recording.rows.len()];
        for place in 0..depths.len() {
            let before = self.marks_read(place).iter();
            let deepest = before.map(|&place| depths[place as usize]).max();
            depths[place] = deepest.unwrap_or(0) + 1;
        }
        depths
    }
}

fn compare_marks(depths: &[u32], copy_length: usize, found: &[u8]) -> Result<Check> {
    let mut comparison = Comparison::new(NAME, "marks", Tolerance::Exact);
    let words_in_mark = usize::try_from(MARK_BYTES / 8).expect("a small number");
    for (number, found) in words_in(found).step_by(words_in_mark).enumerate() {
        let ran_once = 1 << 32;
        let expected = ran_once | u64::from(depths[number % copy_length]);
        comparison.word(found, expected, || format!("task {number}"));
    }
    comparison.finish()
}

/// The ids that the tasks of the copies get: no two copies share one.
#[derive(Clone, Debug)]
enum Ids {
    /// Those of the recording: there is one copy.
    Kept,
    /// Those of the recording, with this much added to the low half in each further copy, so that
    /// the high half keeps its meaning.
    Shifted { step: u64 },
    /// Consecutive ones, because shifted ones would not fit: the number of each row's id among the
    /// ids, and how many there are.
    Numbered { ranks: Vec<u64>, count: u64 },
}

impl Ids {
    fn new(rows: &[Row], tasks: u64) -> Self {
        let copies = tasks.div_ceil(rows.len() as u64);
        if copies == 1 {
            return Self::Kept;
        }
        let low = |row: &Row| row.task_id & u64::from(u32::MAX);
        let step = rows.iter().map(low).max().unwrap_or(0) + 1;
        if step.checked_mul(copies).is_some_and(|end| end <= 1 << 32) {
            return Self::Shifted { step };
        }
        let mut known = BTreeMap::new();
        for row in rows {
            known.insert(row.task_id, 0);
        }
        for (rank, (_, place)) in (0..).zip(&mut known) {
            *place = rank;
        }
        Self::Numbered {
            ranks: rows.iter().map(|row| known[&row.task_id]).collect(),
            count: known.len() as u64,
        }
    }

    fn of(&self, copy: u64, place: usize, row: &Row) -> u64 {
        match self {
            Self::Kept => row.task_id,
            Self::Shifted { step } => row.task_id + copy * step,
            Self::Numbered { ranks, count } => copy * count + ranks[place],
        }
    }

    fn warning(&self) -> Option<String> {
        matches!(self, Self::Numbered { .. }).then(|| {
            "the task ids of the recording are too large to repeat, tasks are numbered from 0"
                .to_owned()
        })
    }
}

fn task_id(number: u64) -> TaskId {
    TaskId::from_index(u32::try_from(number).expect("at most MAX_TASKS tasks"))
}
