//! When each task could have run: its producers' ends, and the longest chain of run times.
//!
//! One entry a node of the edge table, in plain arrays. A task with several rows counts from the start to
//! the end of the row that ended last, and runs as long as its longest row.

use crate::circles;
use crate::members::Members;
use crate::sorted::Lower;
use lanescope_trace::{EdgeTable, Task};

/// What is known of one task that edges name. Moments count from the tick before the run's first: 0 is none.
#[derive(Clone, Copy, Debug)]
struct Node<L> {
    /// Start and end of its row that ended last; no row with both: 0.
    start: L,
    end: L,
    /// The run time of its longest row.
    run: L,
    /// The producer that ended last of those that ended before `start`.
    from: u32,
}

/// A node of which one row lacks a time.
const OPEN: u8 = 1;
/// A node of which one producer's end is not known.
const UNSURE: u8 = 2;
/// A node of which one producer ended after it had started.
const EARLY: u8 = 4;

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

/// Every task that edges name, in a run of which `L` holds the ticks.
#[derive(Debug)]
pub(crate) struct Dependencies<'a, L> {
    edges: &'a EdgeTable,
    /// The tick before the run's first.
    origin: u64,
    nodes: Vec<Node<L>>,
    /// By node: [`OPEN`], [`UNSURE`], [`EARLY`].
    marks: Vec<u8>,
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

/// Whether `L` holds the moments of a run from its first tick to its last.
pub(crate) fn holds<L: Lower>((first, last): (u64, u64)) -> bool {
    let moment = last - first + 1;
    L::of(moment).number() == moment
}

impl<'a, L: Lower> Dependencies<'a, L> {
    /// For a run of which `L` [`holds`] the moments; one that has them does not begin at 0.
    pub(crate) fn new(edges: &'a EdgeTable, (first, _): (u64, u64)) -> Self {
        let node = Node {
            start: L::default(),
            end: L::default(),
            run: L::default(),
            from: NO_NODE,
        };
        let count = match edges.is_empty() {
            true => 0,
            false => edges.node_count() as usize,
        };
        Self {
            edges,
            origin: first - 1,
            nodes: vec![node; count],
            marks: vec![0; count],
            alone: 0,
            dangling: 0,
            backward: 0,
            has_backward: false,
            is_ordered: true,
        }
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
        let Some(run) = run else {
            self.marks[node as usize] |= OPEN;
            return;
        };
        let [start, end] = [task.start_ticks, task.end_ticks].map(|at| L::of(at - self.origin));
        let node = &mut self.nodes[node as usize];
        node.run = node.run.max(L::of(run));
        if end > node.end {
            (node.start, node.end) = (start, end);
        }
    }

    /// Follows every edge, once all rows were taken.
    pub(crate) fn follow(&mut self) {
        for producer in 0..self.nodes.len() {
            let end = self.nodes[producer].end;
            let is_open = self.marks[producer] & OPEN != 0;
            let number = u32::try_from(producer).expect("nodes are numbered in 32 bits");
            for &consumer in self.edges.successors(number) {
                self.is_ordered &= consumer > number;
                let latest = self.latest(consumer);
                let node = &mut self.nodes[consumer as usize];
                let marks = &mut self.marks[consumer as usize];
                let is_placed = node.end != L::default();
                let is_dangling =
                    end == L::default() && !is_open || !is_placed && *marks & OPEN == 0;
                self.dangling += u64::from(is_dangling);
                let is_backward = is_placed && end > node.start;
                self.has_backward |= is_backward;
                if end == L::default() || is_open {
                    *marks |= UNSURE;
                } else if is_backward {
                    *marks |= EARLY;
                    self.backward += 1;
                } else if end > latest {
                    node.from = number;
                }
            }
        }
    }

    /// The latest end of a producer that ended before the task of a node had started; 0 without any.
    #[inline]
    fn latest(&self, node: u32) -> L {
        match self.nodes[node as usize].from {
            NO_NODE => L::default(),
            from => self.nodes[from as usize].end,
        }
    }

    /// When the task of a node had everything it needed.
    #[inline]
    pub(crate) fn ready(&self, node: u32) -> Ready {
        let marks = self.marks[node as usize];
        if marks & EARLY != 0 {
            Ready::Never
        } else if marks & UNSURE != 0 {
            Ready::Unknown
        } else {
            match self.ticks(self.latest(node)) {
                0 => Ready::FromTheBegin,
                at => Ready::At(at),
            }
        }
    }

    /// A moment as the rows tell it.
    #[inline]
    fn ticks(&self, moment: L) -> u64 {
        match moment.number() {
            0 => 0,
            after_origin => self.origin + after_origin,
        }
    }

    /// From a node back to the first task before it, each from the producer that ended last: first to last, and
    /// as a set.
    pub(crate) fn chain_to(&self, node: u32) -> (Vec<u32>, Members) {
        let (mut chain, mut members) = (Vec::new(), Members::none_of(self.nodes.len()));
        let mut at = node;
        // Tasks of no length may stand in a ring: none is in a chain twice.
        while at != NO_NODE && members.insert(at) {
            chain.push(at);
            at = self.nodes[at as usize].from;
        }
        chain.reverse();
        (chain, members)
    }

    /// The end of the task of a node; 0 when it is not known.
    #[inline]
    pub(crate) fn end(&self, node: u32) -> u64 {
        self.ticks(self.nodes[node as usize].end)
    }

    /// Whether the task of a node has a producer, known or not.
    pub(crate) fn has_producer(&self, node: u32) -> bool {
        self.ready(node) != Ready::FromTheBegin
    }

    /// Whether a producer ended after its consumer had started, as far as both are known.
    #[inline]
    fn is_backward(&self, producer: u32, consumer: u32) -> bool {
        let [from, to] = [producer, consumer].map(|node| &self.nodes[node as usize]);
        to.end != L::default() && from.end > to.start
    }

    /// The consumers of a node that started after it had ended.
    fn later(&self, node: u32) -> impl Iterator<Item = u32> {
        let successors = self.edges.successors(node).iter().copied();
        successors.filter(move |&consumer| !self.has_backward || !self.is_backward(node, consumer))
    }

    /// The longest chain of run times over the edges; and how many tasks depend on themselves.
    pub(crate) fn floor(&self) -> (u64, u64) {
        // Written, not asked for as zeros: a page that is read first costs the system two faults.
        let before = std::iter::repeat_n(L::default(), self.nodes.len());
        let mut floor = Floor {
            dependencies: self,
            before: before.collect(),
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
struct Floor<'a, L> {
    dependencies: &'a Dependencies<'a, L>,
    /// By node: the longest chain that ends before it.
    before: Vec<L>,
    longest: u64,
}

impl<L: Lower> Floor<'_, L> {
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
            self.pass_on(node, before.unwrap_or_default());
        }
    }

    #[inline]
    fn pass_on(&mut self, node: u32, before: L) {
        let Node { end, run, .. } = self.dependencies.nodes[node as usize];
        let mut length = before.number().saturating_add(run.number());
        if end != L::default() {
            // A row of a task may have run before the row that its producers let start. An end lies one behind
            // the ticks since the run's first.
            length = length.min(end.number() - 1);
        }
        self.longest = self.longest.max(length);
        for consumer in self.dependencies.later(node) {
            let before = &mut self.before[consumer as usize];
            *before = L::of(length).max(*before);
        }
    }
}
