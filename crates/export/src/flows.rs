//! Which edges begin and end at a row: one flow id per edge.
//!
//! A flow shared by several consumers would be drawn as a chain from one to the next, and one per
//! pair of blocks would be their product; so every edge has an id of its own, and a task of several
//! rows is left at the row that ends last and met at the one that starts first.

use lanescope_trace::{EdgeTable, Task, Trace};
use std::collections::HashMap;

/// The edges of a trace, findable from both ends.
#[derive(Debug)]
pub(crate) struct Flows<'a> {
    table: &'a EdgeTable,
    /// Nodes that have an event, a bit each; empty when no flow is drawn.
    present: Vec<u64>,
    /// Where each node's incoming edges begin; one longer than there are nodes.
    offsets: Vec<u32>,
    /// Edge numbers by consumer.
    incoming: Vec<u32>,
    /// Only tasks of several rows.
    anchors: HashMap<u32, Anchors>,
    drawn: u64,
}

/// The rows of a task at which its edges end and begin.
#[derive(Clone, Copy, Debug)]
struct Anchors {
    first: (u64, u64),
    last: (u64, u64),
}

/// The flows of one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFlows<'a> {
    incoming: &'a [u32],
    /// The number of the first outgoing edge, and the consumers.
    outgoing: (usize, &'a [u32]),
    present: &'a [u64],
}

impl<'a> Flows<'a> {
    /// No flow at all.
    pub(crate) fn none(trace: &'a Trace) -> Self {
        Self {
            table: trace.edges(),
            present: Vec::new(),
            offsets: Vec::new(),
            incoming: Vec::new(),
            anchors: HashMap::new(),
            drawn: 0,
        }
    }

    pub(crate) fn of(trace: &'a Trace) -> Self {
        let mut flows = Self::none(trace);
        if flows.table.is_empty() {
            return flows;
        }
        flows.find_rows(trace);
        flows.sort_by_consumer();
        flows
    }

    /// Edges of which both ends have an event.
    pub(crate) fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Edges of which one end has none.
    pub(crate) fn undrawn(&self) -> u64 {
        match self.present.is_empty() {
            true => 0,
            false => self.table.len() as u64 - self.drawn,
        }
    }

    /// The flows that begin and end at a row.
    #[inline]
    pub(crate) fn of_row(&self, row: u64, task_id: u64) -> RowFlows<'_> {
        let mut flows = RowFlows::none();
        if self.present.is_empty() {
            return flows;
        }
        let Some(node) = self.table.node(task_id) else {
            return flows;
        };
        let (mut is_first, mut is_last) = (true, true);
        if !self.anchors.is_empty()
            && let Some(anchors) = self.anchors.get(&node)
        {
            is_first = anchors.first.1 == row;
            is_last = anchors.last.1 == row;
        }
        if is_first {
            let at = node as usize;
            let range = self.offsets[at] as usize..self.offsets[at + 1] as usize;
            flows.incoming = &self.incoming[range];
        }
        if is_last {
            flows.outgoing = (self.table.row(node).start, self.table.successors(node));
            flows.present = &self.present;
        }
        flows
    }

    /// Finds the nodes that have an event, and the anchors of those that have several.
    fn find_rows(&mut self, trace: &Trace) {
        self.present = vec![0; (self.table.node_count() as usize).div_ceil(64)];
        let mut has_repeats = false;
        for task in trace.tasks().filter(has_event) {
            if let Some(node) = self.table.node(task.task_id)
                && !mark(&mut self.present, node)
            {
                has_repeats = true;
                let unset = Anchors {
                    first: (u64::MAX, u64::MAX),
                    last: (0, u64::MAX),
                };
                self.anchors.insert(node, unset);
            }
        }
        if !has_repeats {
            return;
        }
        for (row, task) in (0..).zip(trace.tasks()) {
            if has_event(&task)
                && let Some(node) = self.table.node(task.task_id)
                && let Some(anchors) = self.anchors.get_mut(&node)
            {
                let start = [task.start_ticks, task.end_ticks];
                let start = start.into_iter().find(|&ticks| ticks != 0);
                let first = (start.unwrap_or(u64::MAX), row);
                anchors.first = anchors.first.min(first);
                let last = (task.end_ticks.max(task.start_ticks), row);
                if anchors.last.1 == u64::MAX || last > anchors.last {
                    anchors.last = last;
                }
            }
        }
    }

    /// Lists the drawn edges of each consumer.
    fn sort_by_consumer(&mut self) {
        let nodes = self.table.node_count();
        let mut offsets = vec![0_u32; nodes as usize + 1];
        let mut drawn = 0;
        self.each_drawn(|_, consumer| {
            offsets[consumer as usize + 1] += 1;
            drawn += 1;
        });
        for node in 0..nodes as usize {
            offsets[node + 1] += offsets[node];
        }
        let mut incoming = vec![0_u32; offsets[nodes as usize] as usize];
        self.each_drawn(|edge, consumer| {
            let cursor = &mut offsets[consumer as usize];
            incoming[*cursor as usize] = edge;
            *cursor += 1;
        });
        offsets.rotate_right(1);
        offsets[0] = 0;
        self.offsets = offsets;
        self.incoming = incoming;
        self.drawn = drawn;
    }

    fn each_drawn(&self, mut take: impl FnMut(u32, u32)) {
        let producers = (0..self.table.node_count()).filter(|&node| is_marked(&self.present, node));
        for producer in producers {
            let consumers = self.table.successors(producer);
            for (edge, &consumer) in self.table.row(producer).zip(consumers) {
                if is_marked(&self.present, consumer) {
                    let edge = u32::try_from(edge).expect("a table has at most u32::MAX edges");
                    take(edge, consumer);
                }
            }
        }
    }
}

impl RowFlows<'_> {
    /// No flow.
    pub(crate) const fn none() -> Self {
        Self {
            incoming: &[],
            outgoing: (0, &[]),
            present: &[],
        }
    }

    /// The numbers of the drawn edges that leave the row, in the order of its successors.
    #[inline]
    pub(crate) fn begins(&self) -> impl Iterator<Item = u64> {
        let (first_edge, consumers) = self.outgoing;
        let edges = (first_edge as u64..).zip(consumers);
        let drawn = edges.filter(|&(_, &consumer)| is_marked(self.present, consumer));
        drawn.map(|(edge, _)| edge)
    }

    /// The numbers of the drawn edges that meet the row.
    #[inline]
    pub(crate) fn ends(&self) -> impl ExactSizeIterator<Item = u64> {
        self.incoming.iter().map(|&edge| u64::from(edge))
    }
}

/// Whether the task is drawn, be it as an instant.
fn has_event(task: &Task) -> bool {
    task.start_ticks != 0 || task.end_ticks != 0
}

/// Sets a node's bit; whether it was not set before.
fn mark(bits: &mut [u64], node: u32) -> bool {
    let (word, bit) = (node as usize / 64, 1_u64 << (node % 64));
    let is_new = bits[word] & bit == 0;
    bits[word] |= bit;
    is_new
}

fn is_marked(bits: &[u64], node: u32) -> bool {
    bits[node as usize / 64] & (1_u64 << (node % 64)) != 0
}
