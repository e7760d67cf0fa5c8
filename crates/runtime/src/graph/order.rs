//! The edges of a checked graph, sorted by producer, with the proof that there is no cycle.

use super::{Graph, TaskId};
use crate::Result;

/// Successor lists and predecessor counts of a graph without cycles.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Where the successors of each task begin in `successors`; one entry more than tasks.
    pub(crate) first_successor: Vec<u32>,
    /// Task indices, in ascending order within a producer, each once.
    pub(crate) successors: Vec<u32>,
    /// How many tasks each task waits for.
    pub(crate) predecessors: Vec<u32>,
}

impl Order {
    pub(super) fn new(graph: &Graph) -> Result<Self> {
        let tasks = graph.tasks().len();
        if u32::try_from(tasks).is_err() || u32::try_from(graph.edge_list().len()).is_err() {
            return Err(graph.refuse("more than 4294967295 tasks or edges".to_owned()));
        }
        let order = Self::sorted(graph, tasks)?;
        order.refuse_cycle(graph)?;
        Ok(order)
    }

    pub(crate) fn successors_of(&self, task: usize) -> &[u32] {
        &self.successors
            [self.first_successor[task] as usize..self.first_successor[task + 1] as usize]
    }

    fn sorted(graph: &Graph, tasks: usize) -> Result<Self> {
        let mut first = vec![0u32; tasks + 1];
        for (number, &(from, to)) in graph.edge_list().iter().enumerate() {
            for end in [from, to] {
                if end.index() >= tasks {
                    let end = end.index();
                    return Err(graph.refuse(format!(
                        "edge {number} names task {end}, the graph has {tasks}"
                    )));
                }
            }
            first[from.index() + 1] += 1;
        }
        for task in 0..tasks {
            first[task + 1] += first[task];
        }
        let mut next = first.clone();
        let mut successors = vec![0u32; graph.edge_list().len()];
        for &(from, TaskId(to)) in graph.edge_list() {
            let place = &mut next[from.index()];
            successors[*place as usize] = to;
            *place += 1;
        }
        let mut order = Self {
            first_successor: first,
            successors,
            predecessors: vec![0; tasks],
        };
        order.drop_repeats();
        for &to in &order.successors {
            order.predecessors[to as usize] += 1;
        }
        Ok(order)
    }

    /// Sorts each list and leaves each successor in it once.
    fn drop_repeats(&mut self) {
        let mut kept = 0usize;
        let mut begin = 0usize;
        for task in 1..self.first_successor.len() {
            let end = self.first_successor[task] as usize;
            self.successors[begin..end].sort_unstable();
            let list = kept;
            for place in begin..end {
                let successor = self.successors[place];
                if kept == list || self.successors[kept - 1] != successor {
                    self.successors[kept] = successor;
                    kept += 1;
                }
            }
            begin = end;
            self.first_successor[task] =
                u32::try_from(kept).expect("no more than the edges, which fit 32 bits");
        }
        self.successors.truncate(kept);
    }

    fn refuse_cycle(&self, graph: &Graph) -> Result<()> {
        let mut waiting = self.predecessors.clone();
        let mut ready: Vec<u32> = (0..)
            .zip(&waiting)
            .filter_map(|(task, &count)| (count == 0).then_some(task))
            .collect();
        let mut seen = 0;
        while let Some(task) = ready.pop() {
            seen += 1;
            for &successor in self.successors_of(task as usize) {
                let count = &mut waiting[successor as usize];
                *count -= 1;
                if *count == 0 {
                    ready.push(successor);
                }
            }
        }
        if seen == waiting.len() {
            return Ok(());
        }
        let cycle = self.cycle_among(&waiting);
        let shown: Vec<String> = cycle.iter().take(8).map(ToString::to_string).collect();
        let more = if cycle.len() > 8 { " -> ..." } else { "" };
        let path = format!("{}{more} -> {}", shown.join(" -> "), cycle[0]);
        Err(graph.refuse_task(
            cycle[0],
            &format!("it waits for itself; the cycle is {path}"),
        ))
    }

    /// A cycle among the tasks that still wait for something, smallest index first.
    fn cycle_among(&self, waiting: &[u32]) -> Vec<usize> {
        // Every waiting task has a waiting predecessor, so walking back must come round.
        let mut predecessor = vec![usize::MAX; waiting.len()];
        for task in (0..waiting.len()).filter(|&task| waiting[task] > 0) {
            for &successor in self.successors_of(task) {
                predecessor[successor as usize] = task;
            }
        }
        let mut visited = vec![false; waiting.len()];
        let mut task = waiting
            .iter()
            .position(|&count| count > 0)
            .expect("some task waits");
        while !visited[task] {
            visited[task] = true;
            task = predecessor[task];
        }
        let mut cycle = vec![task];
        let mut back = predecessor[task];
        while back != task {
            cycle.push(back);
            back = predecessor[back];
        }
        cycle.reverse();
        let smallest = (0..cycle.len())
            .min_by_key(|&place| cycle[place])
            .unwrap_or(0);
        cycle.rotate_left(smallest);
        cycle
    }
}
