//! Flows as edges: what stands on each track is sorted by time, and a flow belongs to the slice it lies in.

use super::super::draft::Draft;
use crate::sorter::{Sorted, Sorter};
use std::io;
use std::path::Path;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Slices of tasks, and the points where flows begin, pass and end.
#[derive(Debug)]
pub(super) struct Flows {
    marks: Sorter<Mark>,
    points: u64,
}

/// A slice or a point of a flow on a track.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Mark {
    track: u64,
    at: u64,
    /// Which mark of the file it is.
    place: u64,
    /// 0 for a slice; else a [`Point`].
    point: u64,
    /// A slice's task, a point's flow.
    value: u64,
    /// Where a slice ends.
    end: u64,
}

/// Puts the points of a time behind its slices.
const BEHIND_SLICES: u64 = 1 << 63;

impl Sorted for Mark {
    fn key(&self) -> [u64; 3] {
        let rank = match self.point {
            0 => self.place,
            _ => self.place | BEHIND_SLICES,
        };
        [self.track, self.at, rank]
    }
}

/// What a flow does at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Begin = 1,
    Step = 2,
    /// It ends in the slice it lies in.
    EndHere = 3,
    /// It ends in the next slice to begin.
    EndNext = 4,
}

/// The task a flow has at a point.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Bound {
    flow: u64,
    at: u64,
    place: u64,
    point: u64,
    task_id: u64,
}

impl Sorted for Bound {
    fn key(&self) -> [u64; 3] {
        [self.flow, self.at, self.place]
    }
}

/// Slices that are open, or points that wait for the next one, at a time on a track.
const MOST_OPEN: usize = 1 << 10;
const LEFT_OUT: &str = "flow [event left out: it joins|events left out: they join] no two tasks";

impl Flows {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            marks: Sorter::new(folder),
            points: 0,
        }
    }

    pub(super) fn slice(
        &mut self,
        track: u64,
        (at, end): (u64, u64),
        task_id: u64,
    ) -> io::Result<()> {
        self.push(track, at, 0, task_id, end)
    }

    pub(super) fn point(&mut self, track: u64, at: u64, point: Point, flow: u64) -> io::Result<()> {
        self.points += 1;
        self.push(track, at, point as u64, flow, at)
    }

    fn push(&mut self, track: u64, at: u64, point: u64, value: u64, end: u64) -> io::Result<()> {
        let place = self.marks.count();
        self.marks.push(Mark {
            track,
            at,
            place,
            point,
            value,
            end,
        })
    }

    /// Hands the edges to the draft, in the order of time, and counts what is none.
    pub(super) fn finish(self, draft: &mut Draft, folder: &Path) -> io::Result<()> {
        if self.points == 0 {
            return Ok(());
        }
        let mut bound = Sorter::new(folder);
        let mut track = Track::default();
        let mut rows = self.marks.finish()?;
        let mut left_out = 0;
        while let Some(mark) = rows.next()? {
            if track.number != mark.track {
                left_out += track.pass_on();
                track.number = mark.track;
            } else if track.at != mark.at {
                track.here.clear();
                track.is_cut = false;
            }
            track.at = mark.at;
            match mark.point {
                0 => track.open(&mark, &mut bound)?,
                _ => track.meet(mark, &mut bound)?,
            }
        }
        left_out += track.pass_on();
        let mut rows = bound.finish()?;
        let mut chain = Chain::default();
        while let Some(row) = rows.next()? {
            if let Some((producer, consumer)) = chain.pass(&row, &mut left_out) {
                draft.edges.push(producer, consumer)?;
            }
        }
        left_out += u64::from(chain.early.is_some());
        draft.note(left_out, LEFT_OUT);
        Ok(())
    }
}

/// What is open on the track that is walked.
#[derive(Debug, Default)]
struct Track {
    number: u64,
    at: u64,
    open: Vec<Mark>,
    /// The slices that began at this very time.
    here: Vec<Mark>,
    /// The first of those are no longer kept.
    is_cut: bool,
    /// Points whose slice is the next one.
    next: Vec<Mark>,
    left_out: u64,
}

impl Track {
    fn open(&mut self, slice: &Mark, bound: &mut Sorter<Bound>) -> io::Result<()> {
        for point in self.next.drain(..) {
            bound.push(Bound::of(&point, slice.value))?;
        }
        self.open.retain(|open| open.end >= self.at);
        self.is_cut |= self.here.len() == MOST_OPEN;
        for kept in [&mut self.open, &mut self.here] {
            if kept.len() == MOST_OPEN {
                kept.remove(0);
            }
            kept.push(*slice);
        }
        Ok(())
    }

    /// A point belongs to the slice that began last before it in the file, of those that began at its time;
    /// else to the first of them; and where none did, to the last to have begun that is open.
    fn meet(&mut self, point: Mark, bound: &mut Sorter<Bound>) -> io::Result<()> {
        let behind = self.here.partition_point(|slice| slice.place < point.place);
        let of_file = behind.checked_sub(1).and_then(|place| self.here.get(place));
        let first = self.here.first().filter(|_| !self.is_cut);
        let slice = of_file.or(first);
        let is_next = point.point == Point::EndNext as u64;
        let around = || {
            let mut open = self.open.iter().rev();
            open.find(|open| open.end >= point.at)
        };
        match slice {
            Some(slice) => bound.push(Bound::of(&point, slice.value)),
            None if is_next && self.next.len() < MOST_OPEN => {
                self.next.push(point);
                Ok(())
            }
            None => match around().filter(|_| !is_next) {
                Some(open) => bound.push(Bound::of(&point, open.value)),
                None => {
                    self.left_out += 1;
                    Ok(())
                }
            },
        }
    }

    /// Leaves the track; how many points met no slice.
    fn pass_on(&mut self) -> u64 {
        let left_out = self.left_out + self.next.len() as u64;
        *self = Self::default();
        left_out
    }
}

impl Bound {
    const fn of(point: &Mark, task_id: u64) -> Self {
        Self {
            flow: point.value,
            at: point.at,
            place: point.place,
            point: point.point,
            task_id,
        }
    }
}

/// One flow from its begin to its ends.
#[derive(Debug, Default)]
struct Chain {
    flow: Option<u64>,
    producer: Option<u64>,
    /// An end before its begin: a consumer that did not wait.
    early: Option<u64>,
}

impl Chain {
    fn pass(&mut self, row: &Bound, left_out: &mut u64) -> Option<(u64, u64)> {
        if self.flow != Some(row.flow) {
            *left_out += u64::from(self.early.is_some());
            *self = Self {
                flow: Some(row.flow),
                ..Self::default()
            };
        }
        let task = row.task_id;
        if row.point == Point::Begin as u64 {
            self.producer = Some(task);
            return self.early.take().map(|consumer| (task, consumer));
        }
        let Some(producer) = self.producer else {
            *left_out += u64::from(self.early.replace(task).is_some());
            return None;
        };
        if row.point == Point::Step as u64 {
            self.producer = Some(task);
        }
        Some((producer, task))
    }
}
