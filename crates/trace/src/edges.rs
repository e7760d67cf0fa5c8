//! Dependency edges by producer, of any number.

use crate::sorter::{Sorted, Sorter};
use crate::{Paged, TraceError};
use std::env;
use std::io;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Dependency edges, grouped by producer in compressed rows.
///
/// Tasks are *nodes* here: numbers 0..[`EdgeTable::node_count`], in ascending order of their ids. Where task ids
/// are those very numbers no id table is kept. A node may stand for a task that has no row in the trace. Memory
/// does not grow with the table: see [`Paged`].
#[derive(Debug, Default)]
pub struct EdgeTable {
    ids: Ids,
    node_count: u32,
    /// Where each node's successors begin; two longer than there are nodes.
    offsets: Paged<u32>,
    successors: Paged<u32>,
}

#[derive(Debug, Default)]
enum Ids {
    /// Task ids are 0..n.
    #[default]
    Dense,
    /// Task ids ascend with their nodes.
    Ascending(Paged<Run>),
}

/// Task ids that follow each other, and their nodes: up to where the next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Run {
    task_id: u64,
    node: u64,
}

/// A task id, and where it was named.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Named {
    task_id: u64,
    place: u64,
}

impl Sorted for Named {
    fn key(&self) -> [u64; 3] {
        [self.task_id, 0, 0]
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
    /// [`TraceError::TooMany`] when there are more than `u32::MAX` pairs; [`TraceError::Scratch`].
    pub fn dense<P>(node_count: u32, pairs: P) -> Result<(Self, u64), TraceError>
    where
        P: Iterator<Item = (u32, u32)> + Clone,
    {
        let nodes = node_count as usize;
        let inside = |&(from, to): &(u32, u32)| from < node_count && to < node_count;
        // Two behind, so that a row's start can serve as its cursor and is the next row's start afterwards.
        let mut offsets = Paged::<u32>::zeroed(nodes + 2)?;
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
            *offsets.item_mut(from as usize + 2) += 1;
        }
        let mut before = 0;
        for index in 2..nodes + 2 {
            let offset = offsets.item_mut(index);
            before += *offset;
            *offset = before;
        }
        let mut successors = Paged::<u32>::zeroed(before as usize)?;
        for (from, to) in pairs.filter(inside) {
            let cursor = offsets.item_mut(from as usize + 1);
            *successors.item_mut(*cursor as usize) = to;
            *cursor += 1;
        }
        let table = Self {
            ids: Ids::Dense,
            node_count,
            offsets,
            successors,
        };
        Ok((table, refused))
    }

    /// Edges between tasks of any id, as (producer task id, consumer task id).
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when tasks or pairs outgrow 32 bits; [`TraceError::Scratch`].
    pub fn named<P>(pairs: P) -> Result<Self, TraceError>
    where
        P: Iterator<Item = (u64, u64)> + Clone,
    {
        let ids = pairs.clone().flat_map(|(from, to)| [from, to]);
        let (runs, nodes) = sorted(ids)?;
        // The ends of the pairs stand one behind the other.
        let numbered = (0_usize..).step_by(2).zip(pairs);
        let numbered = numbered.map(|(place, _)| (nodes.get(place), nodes.get(place + 1)));
        let (table, _) = Self::dense(runs.node_count, numbered)?;
        Ok(table.with_ids(runs.runs))
    }

    /// Edges between tasks of which the ids are listed, as (place of the producer, place of the consumer).
    ///
    /// Pairs that name no task of the list are left out and counted in the second value.
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when tasks or pairs outgrow 32 bits; [`TraceError::Scratch`].
    pub(crate) fn numbered<I, P>(task_ids: I, pairs: P) -> Result<(Self, u64), TraceError>
    where
        I: Iterator<Item = u64> + Clone,
        P: Iterator<Item = (u32, u32)> + Clone,
    {
        if let Some(runs) = Runs::of(task_ids.clone())? {
            let (table, stray) = Self::dense(runs.node_count, pairs)?;
            return Ok((table.with_ids(runs.runs), stray));
        }
        let (runs, nodes) = sorted(task_ids)?;
        let node = |place: u32| match (place as usize) < nodes.len() {
            true => nodes.get(place as usize),
            false => u32::MAX,
        };
        let numbered = pairs.map(|(from, to)| (node(from), node(to)));
        let (table, stray) = Self::dense(runs.node_count, numbered)?;
        Ok((table.with_ids(runs.runs), stray))
    }

    fn with_ids(self, runs: Paged<Run>) -> Self {
        let is_dense = match runs.len() {
            0 => true,
            1 => runs.get(0).task_id == 0,
            _ => false,
        };
        let ids = match is_dense {
            true => Ids::Dense,
            false => Ids::Ascending(runs),
        };
        Self { ids, ..self }
    }

    /// Nodes: tasks that edges may name.
    #[inline]
    #[must_use]
    pub const fn node_count(&self) -> u32 {
        self.node_count
    }

    /// Edges.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.successors.len()
    }

    /// Whether there is no edge.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.successors.is_empty()
    }

    /// The node of a task, if the table has one.
    #[inline]
    #[must_use]
    pub fn node(&self, task_id: u64) -> Option<u32> {
        let node = match &self.ids {
            Ids::Dense => task_id,
            Ids::Ascending(runs) => {
                let behind = behind(runs, |run| run.task_id <= task_id);
                let run = runs.get(behind.checked_sub(1)?);
                let node = run.node.checked_add(task_id - run.task_id)?;
                let is_in_run = behind == runs.len() || node < runs.get(behind).node;
                is_in_run.then_some(node)?
            }
        };
        let node = u32::try_from(node).ok()?;
        (node < self.node_count).then_some(node)
    }

    /// The task id of a node below [`Self::node_count`].
    #[must_use]
    pub fn task_id(&self, node: u32) -> u64 {
        let node = u64::from(node);
        match &self.ids {
            Ids::Dense => node,
            Ids::Ascending(runs) => {
                let run = runs.get(behind(runs, |run| run.node <= node) - 1);
                run.task_id + (node - run.node)
            }
        }
    }

    /// The successors of a node, as nodes.
    #[inline]
    #[must_use]
    pub fn successors(&self, node: u32) -> &[u32] {
        self.successors.range(self.row(node))
    }

    /// The numbers of a node's edges: positions in the whole table, stable and unique.
    #[inline]
    #[must_use]
    pub fn row(&self, node: u32) -> std::ops::Range<usize> {
        let node = node as usize;
        let ends = self.offsets.range(node..node + 2);
        ends[0] as usize..ends[1] as usize
    }

    /// The successors of a task, as task ids; none when the task has no node.
    pub fn successor_ids(&self, task_id: u64) -> impl Iterator<Item = u64> {
        let row = self.node(task_id).map_or(&[][..], |n| self.successors(n));
        row.iter().map(|&node| self.task_id(node))
    }

    /// Every edge as (producer task id, consumer task id), in order of the producer's id.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..self.node_count()).flat_map(move |from| {
            let successors = self.successors(from).iter();
            successors.map(move |&to| (self.task_id(from), self.task_id(to)))
        })
    }
}

/// The runs of ids that ascend.
struct Runs {
    runs: Paged<Run>,
    node_count: u32,
}

impl Runs {
    /// The runs of some ids; `None` where one does not ascend.
    fn of(task_ids: impl Iterator<Item = u64> + Clone) -> Result<Option<Self>, TraceError> {
        let mut run_count = 0;
        let Some(count) = each_run(task_ids.clone(), |_| run_count += 1) else {
            return Ok(None);
        };
        let node_count = u32::try_from(count).map_err(|_| too_many("tasks with edges", count))?;
        let mut runs = Paged::zeroed(run_count)?;
        let mut place = 0;
        each_run(task_ids, |run| {
            *runs.item_mut(place) = run;
            place += 1;
        });
        Ok(Some(Self { runs, node_count }))
    }
}

/// Gives the runs of ids that ascend; how many ids there are, or `None` where one does not ascend.
fn each_run(task_ids: impl Iterator<Item = u64>, mut take: impl FnMut(Run)) -> Option<u64> {
    let (mut latest, mut count) = (None, 0_u64);
    for task_id in task_ids {
        if latest.is_some_and(|latest| latest >= task_id) {
            return None;
        }
        if latest.is_none_or(|latest| latest + 1 != task_id) {
            take(Run {
                task_id,
                node: count,
            });
        }
        latest = Some(task_id);
        count += 1;
    }
    Some(count)
}

/// The runs of ids that come in any order, and more than once, and the node of each place.
fn sorted(task_ids: impl Iterator<Item = u64>) -> Result<(Runs, Paged<u32>), TraceError> {
    let folder = env::temp_dir();
    let failed = |source: io::Error| TraceError::Scratch {
        folder: folder.clone(),
        source,
    };
    let mut sorter = Sorter::new(&folder);
    for (place, task_id) in (0..).zip(task_ids) {
        sorter.push(Named { task_id, place }).map_err(failed)?;
    }
    let count = sorter.count();
    let too_many = || too_many("ends of edges", count);
    let length = usize::try_from(count).map_err(|_| too_many())?;
    let (mut nodes, mut ids) = (Paged::<u32>::zeroed(length)?, Paged::<u64>::zeroed(length)?);
    let mut rows = sorter.finish().map_err(failed)?;
    let mut distinct = 0;
    while let Some(Named { task_id, place }) = rows.next().map_err(failed)? {
        if distinct == 0 || ids.get(distinct - 1) != task_id {
            *ids.item_mut(distinct) = task_id;
            distinct += 1;
        }
        let node = u32::try_from(distinct - 1).map_err(|_| too_many())?;
        *nodes.item_mut(usize::try_from(place).map_err(|_| too_many())?) = node;
    }
    let runs = Runs::of((0..distinct).map(|index| ids.get(index)))?;
    Ok((runs.expect("sorted ids without repeats ascend"), nodes))
}

/// How many runs at the begin of all are `true` to a question that is answered so up to one of them.
#[inline]
fn behind(runs: &Paged<Run>, is_before: impl Fn(Run) -> bool) -> usize {
    let (mut low, mut high) = (0, runs.len());
    while low < high {
        let middle = low.midpoint(high);
        match is_before(runs.get(middle)) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
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
        assert_eq!(found, [(2, 7), (9, 2)]);
        // A task that is listed twice is one task, and a place behind the list is none.
        let pairs = [(0, 1), (1, 2), (3, 0)];
        let (table, stray) = EdgeTable::numbered([9, 2, 9].into_iter(), pairs.into_iter()).unwrap();
        assert_eq!(stray, 1);
        let found: Vec<_> = table.iter().collect();
        assert_eq!((found, table.node_count()), (vec![(2, 9), (9, 2)], 2));
        let dense = EdgeTable::numbered([0, 1, 2].into_iter(), [(0, 1)].into_iter()).unwrap();
        assert!(matches!(dense.0.ids, Ids::Dense));
    }

    #[test]
    fn sparse_ids_come_back_as_they_were() {
        let pairs = [(4_294_967_297, 5), (5, 1_000_003), (4_294_967_297, 7)];
        let table = EdgeTable::named(pairs.into_iter()).unwrap();
        let found: Vec<_> = table.iter().collect();
        assert_eq!(
            found,
            [(5, 1_000_003), (4_294_967_297, 5), (4_294_967_297, 7)]
        );
        let successors: Vec<_> = table.successor_ids(4_294_967_297).collect();
        assert_eq!(successors, [5, 7]);
        assert_eq!(table.node(6), None);
    }
}
