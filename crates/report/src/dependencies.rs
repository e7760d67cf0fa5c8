//! When each task could have run: its producers' ends, and the longest chain of run times.
//!
//! One entry a node of the edge table, in plain arrays. A task with several rows counts from the start to
//! the end of the row that ended last, and runs as long as its longest row.

use lanescope_trace::{EdgeTable, Task};

/// What is known of one task that edges name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Node {
    /// Start and end of its row that ended last; no row with both: 0.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The run time of its longest row.
    pub(crate) run: u64,
    /// The latest end of a producer that ended before `start`.
    pub(crate) latest: u64,
    /// That producer.
    from: u32,
    indegree: u32,
    /// Whether one of its rows lacks a time.
    is_open: bool,
    /// Whether the end of one of its producers is not known.
    is_unsure: bool,
    /// Whether one of its producers ended after it had started.
    is_early: bool,
}

/// When a task had everything it needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// It has no producer.
    FromTheBegin,
    At(u64),
    /// A producer's end is not known.
    Unknown,
    /// A producer ended after it had started.
    Never,
}

/// Every task that edges name.
#[derive(Debug)]
pub(crate) struct Dependencies<'a> {
    edges: &'a EdgeTable,
    nodes: Vec<Node>,
    /// The longest run time of a task that no edge names.
    alone: u64,
    /// Edges from or to a task without a row.
    pub(crate) dangling: u64,
    /// Edges whose producer ended after their consumer had started.
    pub(crate) backward: u64,
}

const NO_NODE: u32 = u32::MAX;

impl<'a> Dependencies<'a> {
    pub(crate) fn new(edges: &'a EdgeTable) -> Self {
        let node = Node {
            from: NO_NODE,
            ..Node::default()
        };
        let count = match edges.is_empty() {
            true => 0,
            false => edges.node_count() as usize,
        };
        Self {
            edges,
            nodes: vec![node; count],
            alone: 0,
            dangling: 0,
            backward: 0,
        }
    }

    /// Whether there is any edge.
    pub(crate) fn are_known(&self) -> bool {
        !self.edges.is_empty()
    }

    /// The node of a task, when an edge names it.
    #[inline]
    pub(crate) fn node(&self, task_id: u64) -> Option<u32> {
        match self.nodes.is_empty() {
            true => None,
            false => self.edges.node(task_id),
        }
    }

    /// Takes a row.
    #[inline]
    pub(crate) fn row(&mut self, task: &Task) {
        let run = task.run_ticks();
        let Some(node) = self.node(task.task_id) else {
            self.alone = self.alone.max(run.unwrap_or(0));
            return;
        };
        let node = &mut self.nodes[node as usize];
        let Some(run) = run else {
            node.is_open = true;
            return;
        };
        node.run = node.run.max(run);
        if task.end_ticks > node.end {
            (node.start, node.end) = (task.start_ticks, task.end_ticks);
        }
    }

    /// Follows every edge, once all rows were taken.
    pub(crate) fn follow(&mut self) {
        for producer in 0..self.nodes.len() {
            let Node { end, is_open, .. } = self.nodes[producer];
            let number = u32::try_from(producer).expect("nodes are numbered in 32 bits");
            for &consumer in self.edges.successors(number) {
                let node = &mut self.nodes[consumer as usize];
                node.indegree += 1;
                let is_dangling = end == 0 && !is_open || node.end == 0 && !node.is_open;
                self.dangling += u64::from(is_dangling);
                if end == 0 || is_open {
                    node.is_unsure = true;
                } else if node.end != 0 && end > node.start {
                    node.is_early = true;
                    self.backward += 1;
                } else if end > node.latest {
                    (node.latest, node.from) = (end, number);
                }
            }
        }
    }

    /// When the task of a node had everything it needed.
    #[inline]
    pub(crate) fn ready(&self, node: u32) -> Ready {
        let node = &self.nodes[node as usize];
        match node {
            Node { is_early: true, .. } => Ready::Never,
            Node {
                is_unsure: true, ..
            } => Ready::Unknown,
            Node { indegree: 0, .. } => Ready::FromTheBegin,
            _ => Ready::At(node.latest),
        }
    }

    /// From a node back to the first task before it: each from the producer that ended last.
    pub(crate) fn chain_to(&self, node: u32) -> Vec<u32> {
        let mut chain = vec![node];
        let mut at = self.nodes[node as usize];
        // Tasks of no length may stand in a ring: no chain is longer than there are nodes.
        while at.from != NO_NODE && chain.len() < self.nodes.len() {
            chain.push(at.from);
            at = self.nodes[at.from as usize];
        }
        chain.reverse();
        chain
    }

    /// How many tasks edges name.
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The end of the task of a node; 0 when it is not known.
    #[inline]
    pub(crate) fn end(&self, node: u32) -> u64 {
        self.nodes[node as usize].end
    }

    /// The longest chain of run times over the edges, and how many tasks no chain holds because they
    /// depend on themselves.
    pub(crate) fn floor(&self) -> (u64, u64) {
        let mut waits_for: Vec<u32> = self.nodes.iter().map(|node| node.indegree).collect();
        let mut before = vec![0_u64; self.nodes.len()];
        let roots = (0..).zip(&waits_for).filter(|(_, waits)| **waits == 0);
        let mut order: Vec<u32> = roots.map(|(node, _)| node).collect();
        let (mut place, mut longest) = (0, self.alone);
        while let Some(&node) = order.get(place) {
            place += 1;
            let length = before[node as usize].saturating_add(self.nodes[node as usize].run);
            longest = longest.max(length);
            for &consumer in self.edges.successors(node) {
                let consumer_index = consumer as usize;
                before[consumer_index] = before[consumer_index].max(length);
                waits_for[consumer_index] -= 1;
                if waits_for[consumer_index] == 0 {
                    order.push(consumer);
                }
            }
        }
        (longest, (self.nodes.len() - place) as u64)
    }
}
