//! Which rows a task id names.

use lanescope_trace::reference::{TaskId, TaskTable};
use std::collections::HashMap;

/// Stands for no row.
const NONE: u32 = u32::MAX;

/// The rows of each task, and of each successor.
pub(super) struct Rows {
    /// By place of the successor: the first row of that task.
    first: Vec<u32>,
    /// By row: the next one of the same task. Empty when every task has one row.
    next: Vec<u32>,
}

impl Rows {
    pub(super) fn of(tasks: &TaskTable) -> Self {
        let index = Index::of(tasks);
        let count =
            u32::try_from(tasks.successor_count()).expect("successors are counted in 32 bits");
        let first = (0..count).map(|place| index.places.first(tasks.successor(place)));
        Self {
            first: first.collect(),
            next: index.next,
        }
    }

    /// Whether a task has several rows.
    pub(super) fn has_repeats(&self) -> bool {
        !self.next.is_empty()
    }

    /// The rows of the successor at a place, in file order.
    #[inline]
    pub(super) fn of_successor(&self, place: u32) -> impl Iterator<Item = u32> {
        let known = |row: u32| (row != NONE).then_some(row);
        let first = known(self.first[place as usize]);
        std::iter::successors(first, move |&row| {
            self.next.get(row as usize).copied().and_then(known)
        })
    }
}

/// The first row of every task.
struct Index {
    places: Places,
    /// By row: the next one of the same task. Empty when every task has one row.
    next: Vec<u32>,
}

/// Task ids as positions. Those of one ring are mostly close to each other.
enum Places {
    /// A table for each upper half that ids have, sorted by it.
    Dense(Vec<Ring>),
    /// For ids that are far apart.
    Sparse(HashMap<TaskId, u32>),
}

/// The ids with one upper half.
struct Ring {
    key: RingKey,
    /// The lower half of the first.
    begin: u32,
    last: u32,
    /// The first row of each.
    rows: Vec<u32>,
}

/// Sign and upper half of an id.
type RingKey = (bool, u32);

impl Index {
    fn of(tasks: &TaskTable) -> Self {
        let mut index = Self {
            places: Places::of(tasks),
            next: Vec::new(),
        };
        // From the last to the first, so that each finds the one behind it.
        for (distance, row) in (1_usize..).zip(tasks.rows.iter().rev()) {
            let place = tasks.rows.len() - distance;
            let number = u32::try_from(place).expect("rows are counted in 32 bits");
            let behind = index.places.replace(row.id(), number);
            if behind != NONE {
                index.next.resize(tasks.rows.len(), NONE);
                index.next[place] = behind;
            }
        }
        index
    }
}

impl Places {
    fn of(tasks: &TaskTable) -> Self {
        let mut rings: HashMap<RingKey, (u32, u32)> = HashMap::new();
        let mut rows = tasks.rows.iter().map(|row| halves(row.id())).peekable();
        // Runs of one ring cost one look.
        while let Some((key, low)) = rows.next() {
            let (mut least, mut most) = (low, low);
            while let Some((_, low)) = rows.next_if(|&(next, _)| next == key) {
                (least, most) = (least.min(low), most.max(low));
            }
            let bounds = rings.entry(key).or_insert((least, most));
            *bounds = (bounds.0.min(least), bounds.1.max(most));
        }
        let slots: u64 = rings
            .values()
            .map(|(least, most)| u64::from(most - least) + 1)
            .sum();
        if slots > 4 * tasks.rows.len() as u64 {
            return Self::Sparse(HashMap::with_capacity(tasks.rows.len()));
        }
        let ring = |(key, (begin, last)): (RingKey, (u32, u32))| Ring {
            key,
            begin,
            last,
            rows: vec![NONE; (last - begin) as usize + 1],
        };
        let mut rings: Vec<_> = rings.into_iter().map(ring).collect();
        rings.sort_unstable_by_key(|ring| ring.key);
        Self::Dense(rings)
    }

    /// Sets the row of a task that the table was made for, and gives the one it had.
    #[inline]
    fn replace(&mut self, id: TaskId, row: u32) -> u32 {
        match self {
            Self::Sparse(rows) => rows.insert(id, row).unwrap_or(NONE),
            Self::Dense(rings) => {
                let (key, low) = halves(id);
                let ring = ring_of(rings, key).expect("every row's ring has a table");
                let ring = &mut rings[ring];
                std::mem::replace(&mut ring.rows[(low - ring.begin) as usize], row)
            }
        }
    }

    #[inline]
    fn first(&self, id: TaskId) -> u32 {
        match self {
            Self::Sparse(rows) => rows.get(&id).copied().unwrap_or(NONE),
            Self::Dense(rings) => {
                let (key, low) = halves(id);
                let ring = ring_of(rings, key).map(|ring| &rings[ring]);
                let ring = ring.filter(|ring| (ring.begin..=ring.last).contains(&low));
                ring.map_or(NONE, |ring| ring.rows[(low - ring.begin) as usize])
            }
        }
    }
}

#[inline]
fn ring_of(rings: &[Ring], key: RingKey) -> Option<usize> {
    match rings {
        [ring] => (ring.key == key).then_some(0),
        _ => rings.binary_search_by_key(&key, |ring| ring.key).ok(),
    }
}

#[inline]
fn halves(id: TaskId) -> (RingKey, u32) {
    let high = u32::try_from(id.bits >> 32).expect("the upper half");
    let low = u32::try_from(id.bits & 0xffff_ffff).expect("the lower half");
    ((id.is_negative, high), low)
}
