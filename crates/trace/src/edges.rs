//! Dependency edges by producer, compact enough for millions of tasks.

use crate::TraceError;
use std::collections::HashMap;

/// Dependency edges, grouped by producer in compressed rows.
///
/// Tasks are *nodes* here: numbers 0..[`EdgeTable::node_count`]. Where task ids are those very
/// numbers no id table is kept. A node may stand for a task that has no row in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeTable {
    ids: Ids,
    /// Where each node's successors begin; one longer than there are nodes.
    offsets: Vec<u32>,
    successors: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ids {
    /// Task ids are 0..n.
    Dense,
    /// The task id of each node, and back.
    Named(Vec<u64>, HashMap<u64, u32>),
}

impl Default for EdgeTable {
    fn default() -> Self {
        Self {
            ids: Ids::Dense,
            offsets: vec![0],
            successors: Vec::new(),
        }
    }
}

impl EdgeTable {
    /// Edges between tasks whose ids are 0..`node_count`, as (producer, consumer).
    ///
    /// Pairs that name a node outside that range are left out and counted in the second value.
    /// The successors of a node keep the order of the pairs.
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when there are more than `u32::MAX` pairs.
    pub fn dense<P>(node_count: u32, pairs: P) -> Result<(Self, u64), TraceError>
    where
        P: Iterator<Item = (u32, u32)> + Clone,
    {
        let inside = |&(from, to): &(u32, u32)| from < node_count && to < node_count;
        let mut offsets = vec![0_u32; node_count as usize + 1];
        let (mut count, mut refused) = (0_u64, 0_u64);
        for (from, to) in pairs.clone() {
            if !inside(&(from, to)) {
                refused += 1;
                continue;
            }
            count += 1;
            if count > u64::from(u32::MAX) {
                return Err(too_many("edges", count));
            }
            offsets[from as usize + 1] += 1;
        }
        for node in 0..node_count as usize {
            offsets[node + 1] += offsets[node];
        }
        let mut successors = vec![0_u32; offsets[node_count as usize] as usize];
        for (from, to) in pairs.filter(inside) {
            // The row's start serves as its cursor; afterwards it is the next row's start.
            let cursor = &mut offsets[from as usize];
            successors[*cursor as usize] = to;
            *cursor += 1;
        }
        offsets.rotate_right(1);
        offsets[0] = 0;
        let ids = Ids::Dense;
        let table = Self {
            ids,
            offsets,
            successors,
        };
        Ok((table, refused))
    }

    /// Edges between tasks of any id, as (producer task id, consumer task id).
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when tasks or pairs outgrow 32 bits.
    pub fn named<P>(pairs: P) -> Result<Self, TraceError>
    where
        P: Iterator<Item = (u64, u64)> + Clone,
    {
        let mut task_ids = Vec::new();
        let mut nodes = HashMap::new();
        for id in pairs.clone().flat_map(|(from, to)| [from, to]) {
            if let std::collections::hash_map::Entry::Vacant(entry) = nodes.entry(id) {
                let node = u32::try_from(task_ids.len())
                    .map_err(|_| too_many("tasks with edges", task_ids.len() as u64))?;
                entry.insert(node);
                task_ids.push(id);
            }
        }
        let node_count = u32::try_from(task_ids.len())
            .map_err(|_| too_many("tasks with edges", task_ids.len() as u64))?;
        let numbered = pairs.map(|(from, to)| (nodes[&from], nodes[&to]));
        let (mut table, _) = Self::dense(node_count, numbered)?;
        table.ids = Ids::Named(task_ids, nodes);
        Ok(table)
    }

    /// Nodes: tasks that edges may name.
    #[inline]
    #[must_use]
    pub fn node_count(&self) -> u32 {
        u32::try_from(self.offsets.len() - 1).expect("nodes are numbered in 32 bits")
    }

    /// Edges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.successors.len()
    }

    /// Whether there is no edge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.successors.is_empty()
    }

    /// The node of a task, if the table has one.
    #[inline]
    #[must_use]
    pub fn node(&self, task_id: u64) -> Option<u32> {
        match &self.ids {
            Ids::Dense => u32::try_from(task_id)
                .ok()
                .filter(|&node| node < self.node_count()),
            Ids::Named(_, nodes) => nodes.get(&task_id).copied(),
        }
    }

    /// The task id of a node below [`Self::node_count`].
    #[must_use]
    pub fn task_id(&self, node: u32) -> u64 {
        match &self.ids {
            Ids::Dense => u64::from(node),
            Ids::Named(task_ids, _) => task_ids[node as usize],
        }
    }

    /// The successors of a node, as nodes.
    #[inline]
    #[must_use]
    pub fn successors(&self, node: u32) -> &[u32] {
        &self.successors[self.row(node)]
    }

    /// The numbers of a node's edges: positions in the whole table, stable and unique.
    #[inline]
    #[must_use]
    pub fn row(&self, node: u32) -> std::ops::Range<usize> {
        let node = node as usize;
        self.offsets[node] as usize..self.offsets[node + 1] as usize
    }

    /// The successors of a task, as task ids; none when the task has no node.
    pub fn successor_ids(&self, task_id: u64) -> impl Iterator<Item = u64> {
        let row = self.node(task_id).map_or(&[][..], |n| self.successors(n));
        row.iter().map(|&node| self.task_id(node))
    }

    /// Every edge as (producer task id, consumer task id), in order of the producer's node.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..self.node_count()).flat_map(move |from| {
            let successors = self.successors(from).iter();
            successors.map(move |&to| (self.task_id(from), self.task_id(to)))
        })
    }
}

fn too_many(what: &'static str, count: u64) -> TraceError {
    TraceError::TooMany {
        what,
        count,
        limit: u64::from(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_the_pairs() {
        let pairs = [(2, 0), (0, 1), (2, 1), (0, 2)];
        let (table, refused) = EdgeTable::dense(3, pairs.into_iter()).unwrap();
        assert_eq!(refused, 0);
        assert_eq!(table.successors(0), [1, 2]);
        assert_eq!(table.successors(1), [0; 0]);
        assert_eq!(table.successors(2), [0, 1]);
        assert_eq!(
            table.iter().collect::<Vec<_>>(),
            [(0, 1), (0, 2), (2, 0), (2, 1)]
        );
    }

    #[test]
    fn a_pair_outside_the_table_is_counted_not_indexed() {
        let pairs = [(0, 3), (3, 0), (1, 0), (u32::MAX, u32::MAX)];
        let (table, refused) = EdgeTable::dense(3, pairs.into_iter()).unwrap();
        assert_eq!(refused, 3);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(1, 0)]);
        assert_eq!(table.node(3), None);
        assert_eq!(table.successor_ids(99).count(), 0);
    }

    #[test]
    fn sparse_ids_come_back_as_they_were() {
        let pairs = [(4_294_967_297, 5), (5, 1_000_003), (4_294_967_297, 7)];
        let table = EdgeTable::named(pairs.into_iter()).unwrap();
        let mut found: Vec<_> = table.iter().collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [(5, 1_000_003), (4_294_967_297, 5), (4_294_967_297, 7)]
        );
        let successors: Vec<_> = table.successor_ids(4_294_967_297).collect();
        assert_eq!(successors, [5, 7]);
        assert_eq!(table.node(6), None);
    }
}
