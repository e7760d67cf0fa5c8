//! When each task could have run: its producers' ends, and the longest chain of run times.
//!
//! One entry a node of the edge table, in plain arrays. A task with several rows counts from the start to
//! the end of the row that ended last, and runs as long as its longest row.

use crate::circles;
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
    /// Whether any edge is backward, those of a task that lacks a time among them.
    has_backward: bool,
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
            has_backward: false,
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
                let is_backward = node.end != 0 && end > node.start;
                self.has_backward |= is_backward;
                if end == 0 || is_open {
                    node.is_unsure = true;
                } else if is_backward {
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
        let mut is_in = vec![false; self.nodes.len()];
        is_in[node as usize] = true;
        let mut at = self.nodes[node as usize].from;
        // Tasks of no length may stand in a ring: none is in a chain twice.
        while at != NO_NODE && !std::mem::replace(&mut is_in[at as usize], true) {
            chain.push(at);
            at = self.nodes[at as usize].from;
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

    /// Whether the task of a node has a producer, known or not.
    pub(crate) fn has_producer(&self, node: u32) -> bool {
        self.nodes[node as usize].has_producer
    }

    /// Whether a producer ended after its consumer had started, as far as both are known.
    #[inline]
    fn is_backward(&self, producer: u32, consumer: u32) -> bool {
        let [from, to] = [producer, consumer].map(|node| &self.nodes[node as usize]);
        to.end != 0 && from.end > to.start
    }

    /// The consumers of a node that started after it had ended.
    fn later(&self, node: u32) -> impl Iterator<Item = u32> {
        let successors = self.edges.successors(node).iter().copied();
        successors.filter(move |&consumer| !self.has_backward || !self.is_backward(node, consumer))
    }

    /// The longest chain of run times over the edges, in a run that began at `first`; and how many tasks
    /// depend on themselves.
    pub(crate) fn floor(&self, first: u64) -> (u64, u64) {
        let mut floor = Floor {
            dependencies: self,
            first,
            before: vec![0; self.nodes.len()],
            longest: self.alone,
        };
        if self.is_ordered {
            (0..self.edges.node_count()).for_each(|node| floor.lengthen(node));
            return (floor.longest, 0);
        }
        let behind_circles = self.peel(|node| floor.lengthen(node));
        // A task that nobody knows the times of may close a circle that is none.
        let mut known = behind_circles.clone();
        known.retain(|&node| self.end(node) != 0);
        let groups = circles::groups(&known, self.nodes.len(), |node| self.later(node));
        groups
            .iter()
            .rev()
            .for_each(|group| floor.lengthen_all(group));
        (floor.longest, self.in_circles(&behind_circles))
    }

    /// Takes each task behind all its producers; gives those that are in a circle or behind one.
    fn peel(&self, mut take: impl FnMut(u32)) -> Vec<u32> {
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
            take(node);
            for &consumer in self.edges.successors(node) {
                let waits_for = &mut waits_for[consumer as usize];
                *waits_for -= 1;
                if *waits_for == 0 {
                    order.push(consumer);
                }
            }
        }
        let left = (0..).zip(&waits_for).filter(|(_, waits)| **waits > 0);
        left.map(|(node, _)| node).collect()
    }

    /// How many of these tasks lead to themselves, over whatever edges.
    fn in_circles(&self, nodes: &[u32]) -> u64 {
        let successors = |node| self.edges.successors(node).iter().copied();
        let groups = circles::groups(nodes, self.nodes.len(), successors);
        let is_circle = |group: &&Vec<u32>| match group[..] {
            [node] => self.edges.successors(node).contains(&node),
            _ => true,
        };
        let circles = groups.iter().filter(is_circle);
        circles.map(|group| group.len() as u64).sum()
    }
}

/// The longest chain of run times, found from the first task to the last.
struct Floor<'a> {
    dependencies: &'a Dependencies<'a>,
    first: u64,
    /// By node: the longest chain that ends before it.
    before: Vec<u64>,
    longest: u64,
}

impl Floor<'_> {
    /// Takes a task; what it waits for was taken before.
    #[inline]
    fn lengthen(&mut self, node: u32) {
        let before = self.before[node as usize];
        self.pass_on(node, before);
    }

    /// Takes tasks that lead to one another: none is behind another, and all are behind what is before any.
    fn lengthen_all(&mut self, group: &[u32]) {
        let before = group.iter().map(|&node| self.before[node as usize]).max();
        for &node in group {
            self.pass_on(node, before.unwrap_or(0));
        }
    }

    #[inline]
    fn pass_on(&mut self, node: u32, before: u64) {
        let Node { end, run, .. } = self.dependencies.nodes[node as usize];
        let mut length = before.saturating_add(run);
        if end != 0 {
            // A row of a task may have run before the row that its producers let start.
            length = length.min(end - self.first);
        }
        self.longest = self.longest.max(length);
        for consumer in self.dependencies.later(node) {
            let before = &mut self.before[consumer as usize];
            *before = length.max(*before);
        }
    }
}
