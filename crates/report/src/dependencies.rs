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
    /// The producer that ended last of those that ended before `start`.
    from: u32,
    has_producer: bool,
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
    /// Whether every edge leads to a later node.
    is_ordered: bool,
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
            is_ordered: true,
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
                self.is_ordered &= consumer > number;
                let latest = self.latest(consumer);
                let node = &mut self.nodes[consumer as usize];
                node.has_producer = true;
                let is_dangling = end == 0 && !is_open || node.end == 0 && !node.is_open;
                self.dangling += u64::from(is_dangling);
                if end == 0 || is_open {
                    node.is_unsure = true;
                } else if node.end != 0 && end > node.start {
                    node.is_early = true;
                    self.backward += 1;
                } else if end > latest {
                    node.from = number;
                }
            }
        }
    }

    /// The latest end of a producer that ended before the task of a node had started; 0 without any.
    #[inline]
    fn latest(&self, node: u32) -> u64 {
        match self.nodes[node as usize].from {
            NO_NODE => 0,
            from => self.nodes[from as usize].end,
        }
    }

    /// When the task of a node had everything it needed.
    #[inline]
    pub(crate) fn ready(&self, number: u32) -> Ready {
        let node = &self.nodes[number as usize];
        match node {
            Node { is_early: true, .. } => Ready::Never,
            Node {
                is_unsure: true, ..
            } => Ready::Unknown,
            Node {
                has_producer: false,
                ..
            } => Ready::FromTheBegin,
            _ => Ready::At(self.latest(number)),
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
        let mut before = vec![0_u64; self.nodes.len()];
        let mut longest = self.alone;
        let mut lengthen = |node: u32| {
            let length = before[node as usize].saturating_add(self.nodes[node as usize].run);
            longest = longest.max(length);
            for &consumer in self.edges.successors(node) {
                let before = &mut before[consumer as usize];
                *before = length.max(*before);
            }
        };
        if self.is_ordered {
            (0..self.edges.node_count()).for_each(lengthen);
            return (longest, 0);
        }
        let mut waits_for = vec![0_u32; self.nodes.len()];
        for node in 0..self.edges.node_count() {
            for &consumer in self.edges.successors(node) {
                waits_for[consumer as usize] += 1;
            }
        }
        let roots = (0..).zip(&waits_for).filter(|(_, waits)| **waits == 0);
        let mut order: Vec<u32> = roots.map(|(node, _)| node).collect();
        let mut place = 0;
        while let Some(&node) = order.get(place) {
            place += 1;
            lengthen(node);
            for &consumer in self.edges.successors(node) {
                let consumer_index = consumer as usize;
                waits_for[consumer_index] -= 1;
                if waits_for[consumer_index] == 0 {
                    order.push(consumer);
                }
            }
        }
        (longest, (self.nodes.len() - place) as u64)
    }
}
