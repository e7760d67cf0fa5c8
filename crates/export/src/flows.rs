//! Which edges begin and end at a row: one flow id per edge.
//!
//! A flow shared by several consumers would be drawn as a chain from one to the next, and one per
//! pair of blocks would be their product; so every edge has an id of its own, and a task of several
//! rows is left at the row that ends last and met at the one that starts first.

use crate::ExportError;
use lanescope_trace::{EdgeTable, Paged, Task, Trace};
use std::collections::HashMap;

/// The edges of a trace, findable from both ends.
#[derive(Debug)]
pub(crate) struct Flows<'a> {
    table: &'a EdgeTable,
    /// Nodes that have an event, a bit each; empty when no flow is drawn.
    present: Present,
    /// Where each node's incoming edges begin; two longer than there are nodes.
    offsets: Paged<u32>,
    /// Edge numbers by consumer.
    incoming: Paged<u32>,
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
    present: Option<&'a Present>,
}

/// A bit for each node.
#[derive(Debug, Default)]
struct Present {
    words: Paged<u32>,
}

impl<'a> Flows<'a> {
    /// No flow at all.
    pub(crate) fn none(trace: &'a Trace) -> Self {
        Self {
            table: trace.edges(),
            present: Present::default(),
            offsets: Paged::default(),
            incoming: Paged::default(),
            anchors: HashMap::new(),
            drawn: 0,
        }
    }

    pub(crate) fn of(trace: &'a Trace) -> Result<Self, ExportError> {
        let mut flows = Self::none(trace);
        if !flows.table.is_empty() {
            flows.find_rows(trace)?;
            flows.sort_by_consumer()?;
        }
        Ok(flows)
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
            let ends = self.offsets.range(at..at + 2);
            flows.incoming = self.incoming.range(ends[0] as usize..ends[1] as usize);
        }
        if is_last {
            flows.outgoing = (self.table.row(node).start, self.table.successors(node));
            flows.present = Some(&self.present);
        }
        flows
    }

    /// Finds the nodes that have an event, and the anchors of those that have several.
    fn find_rows(&mut self, trace: &Trace) -> Result<(), ExportError> {
        self.present = Present::of(self.table.node_count())?;
        let mut has_repeats = false;
        for task in trace.tasks().filter(has_event) {
            if let Some(node) = self.table.node(task.task_id)
                && !self.present.mark(node)
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
            return Ok(());
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
        Ok(())
    }

    /// Lists the drawn edges of each consumer.
    fn sort_by_consumer(&mut self) -> Result<(), ExportError> {
        let nodes = self.table.node_count() as usize;
        // Two behind, so that a row's start can serve as its cursor and is the next row's start afterwards.
        let mut offsets = Paged::<u32>::windowed(nodes + 2)?;
        self.each_drawn(|_, consumer| {
            *offsets.item_mut(consumer as usize + 2) += 1;
        });
        let mut before = 0;
        for index in 2..nodes + 2 {
            let offset = offsets.item_mut(index);
            before += *offset;
            *offset = before;
        }
        let mut incoming = Paged::<u32>::windowed(before as usize)?;
        self.each_drawn(|edge, consumer| {
            let cursor = offsets.item_mut(consumer as usize + 1);
            *incoming.item_mut(*cursor as usize) = edge;
            *cursor += 1;
        });
        self.offsets = offsets;
        self.incoming = incoming;
        self.drawn = before.into();
        Ok(())
    }

    fn each_drawn(&self, mut take: impl FnMut(u32, u32)) {
        let producers = (0..self.table.node_count()).filter(|&node| self.present.has(node));
        for producer in producers {
            let consumers = self.table.successors(producer);
            for (edge, &consumer) in self.table.row(producer).zip(consumers) {
                if self.present.has(consumer) {
                    let edge = u32::try_from(edge).expect("a table has at most u32::MAX edges");
                    take(edge, consumer);
                }
            }
        }
    }
}

impl Present {
    fn of(nodes: u32) -> Result<Self, ExportError> {
        let words = Paged::windowed(nodes.div_ceil(u32::BITS) as usize)?;
        Ok(Self { words })
    }

    const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Sets a node's bit; whether it was not set before.
    fn mark(&mut self, node: u32) -> bool {
        let (index, bit) = Self::place(node);
        let word = self.words.item_mut(index);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    #[inline]
    fn has(&self, node: u32) -> bool {
        let (index, bit) = Self::place(node);
        self.words.get(index) & bit != 0
    }

    #[inline]
    const fn place(node: u32) -> (usize, u32) {
        ((node / u32::BITS) as usize, 1 << (node % u32::BITS))
    }
}

impl RowFlows<'_> {
    /// No flow.
    pub(crate) const fn none() -> Self {
        Self {
            incoming: &[],
            outgoing: (0, &[]),
            present: None,
        }
    }

    /// The numbers of the drawn edges that leave the row, in the order of its successors.
    #[inline]
    pub(crate) fn begins(&self) -> impl Iterator<Item = u64> {
        let (first_edge, consumers) = self.outgoing;
        let edges = (first_edge as u64..).zip(consumers);
        let drawn = edges
            .filter(|&(_, &consumer)| self.present.is_some_and(|present| present.has(consumer)));
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
