//! Dependency edges between rows.

use crate::columns::{Columns, Values};
use crate::tasks::TaskRows;
use lanescope_trace::Trace;

/// What became of the edges.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EdgeCounts {
    pub(crate) edges: u64,
    /// One of whose tasks has no row.
    pub(crate) dangling: u64,
}

const NONE: u32 = u32::MAX;

/// Encodes the edges: how far the first row of each row's task lies before it, how many successors each
/// row has, and the way to each of them.
pub(crate) fn encode(trace: &Trace, rows: &TaskRows, columns: &mut Columns) -> EdgeCounts {
    let edges = trace.edges();
    let mut counts = EdgeCounts::default();
    let (mut leads, mut fanouts, mut successors) =
        (Values::default(), Values::default(), Values::default());
    if !edges.is_empty() {
        let mut node_rows = vec![NONE; edges.node_count() as usize];
        let mut row_nodes = vec![NONE; rows.count() as usize];
        for (row, task) in rows.rows(trace) {
            if let Some(node) = edges.node(task.task_id) {
                row_nodes[row as usize] = node;
                let first = &mut node_rows[node as usize];
                *first = row.min(*first);
            }
        }
        for (row, &node) in (0_u32..).zip(&row_nodes) {
            let lead = match node {
                NONE => row,
                node => node_rows[node as usize],
            };
            leads.push(u64::from(row - lead));
            if node == NONE || lead != row {
                fanouts.push(0);
                continue;
            }
            let mut fanout = 0;
            for &successor in edges.successors(node) {
                let to = node_rows[successor as usize];
                if to != NONE {
                    fanout += 1;
                    successors.push_step(row.into(), to.into());
                }
            }
            fanouts.push(fanout);
            counts.edges += fanout;
        }
        counts.dangling = edges.len() as u64 - counts.edges;
    }
    columns.add("lead", [leads]);
    columns.add("fanout", [fanouts]);
    columns.add("successor", [successors]);
    counts
}
