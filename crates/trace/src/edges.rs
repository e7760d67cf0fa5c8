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
    /// Task ids ascend with their nodes.
    Ascending(Vec<Run>),
    /// The task id of each node, and back.
    Named(Vec<u64>, HashMap<u64, u32>),
}

/// Task ids that follow each other, and their nodes: up to where the next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    task_id: u64,
    node: u32,
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

    /// Edges between tasks of which the ids are listed, as (place of the producer, place of the consumer).
    ///
    /// Pairs that name no task of the list are left out and counted in the second value.
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when tasks or pairs outgrow 32 bits.
    pub(crate) fn numbered<I, P>(task_ids: I, pairs: P) -> Result<(Self, u64), TraceError>
    where
        I: Iterator<Item = u64> + Clone,
        P: Iterator<Item = (u32, u32)> + Clone,
    {
        let Some((runs, count)) = ascending(task_ids.clone()) else {
            let task_ids: Vec<u64> = task_ids.collect();
            let id = |place: u32| task_ids.get(place as usize).copied();
            let named = pairs.clone();
            let named = named.filter_map(|(from, to)| id(from).zip(id(to)));
            let stray = pairs.count() - named.clone().count();
            return Ok((Self::named(named)?, stray as u64));
        };
        let node_count = u32::try_from(count).map_err(|_| too_many("tasks with edges", count))?;
        let (mut table, stray) = Self::dense(node_count, pairs)?;
        table.ids = match runs[..] {
            [] | [Run { task_id: 0, .. }] => Ids::Dense,
            _ => Ids::Ascending(runs),
        };
        Ok((table, stray))
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
            Ids::Ascending(runs) => {
                let behind = runs.partition_point(|run| run.task_id <= task_id);
                let run = runs[..behind].last()?;
                let end = runs.get(behind).map_or(self.node_count(), |next| next.node);
                let step = u32::try_from(task_id - run.task_id).ok()?;
                run.node.checked_add(step).filter(|&node| node < end)
            }
            Ids::Named(_, nodes) => nodes.get(&task_id).copied(),
        }
    }

    /// The task id of a node below [`Self::node_count`].
    #[must_use]
    pub fn task_id(&self, node: u32) -> u64 {
        match &self.ids {
            Ids::Dense => u64::from(node),
            Ids::Ascending(runs) => {
                let behind = runs.partition_point(|run| run.node <= node);
                let run = runs[behind - 1];
                run.task_id + u64::from(node - run.node)
            }
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

/// The runs of ids that ascend, and how many ids there are; `None` where one does not.
fn ascending(task_ids: impl Iterator<Item = u64>) -> Option<(Vec<Run>, u64)> {
    let mut runs = Vec::new();
    let (mut latest, mut count) = (None, 0_u64);
    for task_id in task_ids {
        if latest.is_some_and(|latest| latest >= task_id) {
            return None;
        }
        if latest.is_none_or(|latest| latest + 1 != task_id) {
            // Too many to be numbered is told from the count.
            let node = u32::try_from(count).unwrap_or(u32::MAX);
            runs.push(Run { task_id, node });
        }
        latest = Some(task_id);
        count += 1;
    }
    Some((runs, count))
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
    fn ids_that_ascend_are_kept_as_runs() {
        let ids = [3, 4, 5, 1 << 32, (1 << 32) + 1, u64::MAX];
        let pairs = [(0, 3), (2, 5), (4, 5), (6, 0)];
        let (table, stray) = EdgeTable::numbered(ids.into_iter(), pairs.into_iter()).unwrap();
        assert_eq!(stray, 1);
        assert!(matches!(&table.ids, Ids::Ascending(runs) if runs.len() == 3));
        for (node, id) in (0..).zip(ids) {
            assert_eq!((table.node(id), table.task_id(node)), (Some(node), id));
        }
        for id in [0, 2, 6, (1 << 32) - 1, (1 << 32) + 2, u64::MAX - 1] {
            assert_eq!(table.node(id), None, "{id}");
        }
        let found: Vec<_> = table.iter().collect();
        assert_eq!(
            found,
            [(3, 1 << 32), (5, u64::MAX), ((1 << 32) + 1, u64::MAX)]
        );
    }

    #[test]
    fn ids_in_any_order_are_named() {
        let (table, stray) =
            EdgeTable::numbered([9, 2, 7].into_iter(), [(0, 1), (1, 2)].into_iter()).unwrap();
        assert_eq!(stray, 0);
        let found: Vec<_> = table.iter().collect();
        assert_eq!(found, [(9, 2), (2, 7)]);
        let dense = EdgeTable::numbered([0, 1, 2].into_iter(), [(0, 1)].into_iter()).unwrap();
        assert_eq!(dense.0.ids, Ids::Dense);
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
