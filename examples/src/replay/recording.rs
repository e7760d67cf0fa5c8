//! A recorded run as a graph of rows in an order in which they can run.

use crate::{Result, WorkloadError};
use lanescope_abi::{ChipInfo, CoreType};
use lanescope_trace::Trace;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Most edges that two tasks of several rows get between them.
const MAX_PAIR_EDGES: usize = 4096;

/// The rows of a recording, each behind its predecessors.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) path: PathBuf,
    pub(super) ticks_per_second: u64,
    pub(super) rows: Vec<Row>,
    /// Names by function id.
    pub(super) functions: BTreeMap<u32, String>,
    pub(super) warnings: Vec<String>,
    /// Where each row's predecessors begin; one entry more than rows.
    first_predecessor: Vec<usize>,
    predecessors: Vec<u32>,
}

/// One task on one core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) task_id: u64,
    pub(super) func_id: u32,
    pub(super) core_type: CoreType,
    /// Ticks of the recording.
    duration_ticks: u64,
}

impl Row {
    /// How long the task lasts in ticks of a chip, rounded to the nearest, at least one.
    pub(super) fn ticks(&self, ticks_per_second: u64, chip: &ChipInfo) -> u64 {
        let from = u128::from(ticks_per_second.max(1));
        let scaled = u128::from(self.duration_ticks) * u128::from(chip.ticks_per_second);
        let ticks = (scaled + from / 2) / from;
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }
}

impl Recording {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let trace = Trace::open(path)?;
        Self::new(path, &trace)
    }

    /// The rows before which row `place` may not begin, in ascending order.
    pub(super) fn predecessors(&self, place: usize) -> &[u32] {
        &self.predecessors[self.first_predecessor[place]..self.first_predecessor[place + 1]]
    }

    fn new(path: &Path, trace: &Trace) -> Result<Self> {
        let mut warnings = Vec::new();
        for note in trace.notes() {
            warnings.push(format!("{}: {}", note.count, note.text));
        }
        let rows = rows(trace, &mut warnings);
        if rows.is_empty() {
            return Err(refuse(path, "it has no task".to_owned()));
        }
        if u32::try_from(rows.len()).is_err() {
            let count = rows.len();
            return Err(refuse(path, format!("it has {count} rows, too many")));
        }
        let ids = IdGraph::new(&rows, trace, &mut warnings);
        let order = ids.order().map_err(|cycle| refuse(path, cycle))?;
        let mut recording = Self {
            path: path.to_owned(),
            ticks_per_second: trace.session().ticks_per_second,
            functions: rows
                .iter()
                .map(|row| {
                    (
                        row.func_id,
                        trace.functions().label(row.func_id).into_owned(),
                    )
                })
                .collect(),
            rows: Vec::with_capacity(rows.len()),
            warnings,
            first_predecessor: vec![0],
            predecessors: Vec::new(),
        };
        let narrowed = recording.take_in(&order, &ids, &rows);
        if narrowed > 0 {
            recording.warnings.push(format!(
                "{narrowed} edges between tasks of many rows go through the first row of the consumer, because they would take more than {MAX_PAIR_EDGES} edges each"
            ));
        }
        Ok(recording)
    }

    /// Takes the rows in the given order of their ids; returns how many edges between ids were
    /// narrowed to one row.
    fn take_in(&mut self, order: &[u32], ids: &IdGraph, rows: &[Row]) -> u64 {
        let mut narrowed = 0;
        let mut taken: Vec<Range<u32>> = vec![0..0; ids.spans.len()];
        for &id in order {
            let first = self.row_count();
            let span = ids.spans[id as usize].clone();
            let mut leader_only = false;
            let mut before_all = Vec::new();
            let mut before_leader = Vec::new();
            for &producer in &ids.producers[id as usize] {
                let parts = taken[producer as usize].clone();
                if parts.len() * span.len() > MAX_PAIR_EDGES {
                    leader_only = true;
                    narrowed += 1;
                    before_leader.extend(parts);
                } else {
                    before_all.extend(parts);
                }
            }
            for (part, row) in rows[span].iter().enumerate() {
                let begin = self.predecessors.len();
                self.predecessors.extend_from_slice(&before_all);
                if part == 0 {
                    self.predecessors.extend_from_slice(&before_leader);
                } else if leader_only {
                    self.predecessors.push(first);
                }
                self.predecessors[begin..].sort_unstable();
                self.first_predecessor.push(self.predecessors.len());
                self.rows.push(*row);
            }
            taken[id as usize] = first..self.row_count();
        }
        narrowed
    }

    fn row_count(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("checked when the rows were read")
    }
}

/// The rows of a trace, those of one id together.
fn rows(trace: &Trace, warnings: &mut Vec<String>) -> Vec<Row> {
    let mut unknown = 0u64;
    let mut tasks: Vec<_> = trace.tasks().collect();
    tasks.sort_by_key(|task| (task.task_id, task.core));
    let rows = tasks
        .iter()
        .map(|task| Row {
            task_id: task.task_id,
            func_id: task.func_id,
            core_type: task.core_type,
            duration_ticks: task.run_ticks().unwrap_or_else(|| {
                unknown += 1;
                0
            }),
        })
        .collect();
    if unknown > 0 {
        warnings.push(format!(
            "{unknown} rows do not say how long they lasted, they are replayed as one tick"
        ));
    }
    rows
}

/// The graph of task ids; an id is known by its rank among the ids.
struct IdGraph {
    ids: Vec<u64>,
    /// The rows of each id.
    spans: Vec<Range<usize>>,
    /// Each in ascending order, each id once.
    producers: Vec<Vec<u32>>,
    consumers: Vec<Vec<u32>>,
}

impl IdGraph {
    fn new(rows: &[Row], trace: &Trace, warnings: &mut Vec<String>) -> Self {
        let mut graph = Self {
            ids: Vec::new(),
            spans: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
        };
        for (place, row) in rows.iter().enumerate() {
            if graph.ids.last() == Some(&row.task_id) {
                graph.spans.last_mut().expect("one for each id").end = place + 1;
            } else {
                graph.ids.push(row.task_id);
                graph.spans.push(place..place + 1);
            }
        }
        graph.producers.resize(graph.ids.len(), Vec::new());
        graph.consumers.resize(graph.ids.len(), Vec::new());
        let dropped = graph.connect(trace);
        if dropped > 0 {
            warnings.push(format!(
                "{dropped} edges were dropped: their task is not in the recording"
            ));
        }
        graph
    }

    /// Takes the edges whose ends both have rows; returns how many have not.
    fn connect(&mut self, trace: &Trace) -> u64 {
        let ranks: HashMap<u64, u32> = self.ids.iter().copied().zip(0..).collect();
        let mut dropped = 0;
        for (from, to) in trace.edges().iter() {
            match (ranks.get(&from), ranks.get(&to)) {
                (Some(&from), Some(&to)) => {
                    self.producers[to as usize].push(from);
                    self.consumers[from as usize].push(to);
                }
                _ => dropped += 1,
            }
        }
        for list in self.producers.iter_mut().chain(&mut self.consumers) {
            list.sort_unstable();
            list.dedup();
        }
        dropped
    }

    /// The ids in an order in which each stands behind its producers, smaller ids first; or the
    /// text of a cycle.
    fn order(&self) -> std::result::Result<Vec<u32>, String> {
        let mut waits: Vec<usize> = self.producers.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<Reverse<u32>> = (0..)
            .zip(&waits)
            .filter(|&(_, &count)| count == 0)
            .map(|(id, _)| Reverse(id))
            .collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(Reverse(id)) = ready.pop() {
            order.push(id);
            for &consumer in &self.consumers[id as usize] {
                let count = &mut waits[consumer as usize];
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(consumer));
                }
            }
        }
        if order.len() == waits.len() {
            Ok(order)
        } else {
            Err(self.cycle(&waits))
        }
    }

    /// Walks back from an id that still waits until it comes round.
    fn cycle(&self, waits: &[usize]) -> String {
        let waiting = |id: u32| waits[id as usize] > 0;
        let mut seen_at = HashMap::new();
        let mut path: Vec<u32> = Vec::new();
        let mut id = (0..)
            .zip(waits)
            .find_map(|(id, &count)| (count > 0).then_some(id))
            .expect("some id waits");
        while !seen_at.contains_key(&id) {
            seen_at.insert(id, path.len());
            path.push(id);
            id = self.producers[id as usize]
                .iter()
                .copied()
                .find(|&producer| waiting(producer))
                .expect("whoever waits has a producer that waits");
        }
        let mut cycle = path.split_off(seen_at[&id]);
        cycle.reverse();
        let smallest = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or(0);
        cycle.rotate_left(smallest);
        let shown: Vec<String> = cycle
            .iter()
            .take(8)
            .map(|&id| self.ids[id as usize].to_string())
            .collect();
        let more = if cycle.len() > 8 { " -> ..." } else { "" };
        format!(
            "task {first} waits for itself, expected no cycle: {path}{more} -> {first}",
            first = shown[0],
            path = shown.join(" -> ")
        )
    }
}

fn refuse(path: &Path, reason: String) -> WorkloadError {
    WorkloadError::Recording {
        path: path.to_owned(),
        reason,
    }
}
