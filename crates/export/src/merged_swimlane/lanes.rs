//! Lanes: rows of one core that overlap between dispatch and finish are drawn below each other.

use super::plan::Cores;
use lanescope_trace::reference::TaskTable;
use std::cmp::Ordering;

/// The lane of each row; rows without a span have none and stay 0.
pub(super) struct LanesOf {
    pub(super) by_row: Vec<u32>,
    /// By core of `cores`: how many lanes it needs.
    pub(super) counts: Vec<u32>,
    /// Rows with a span, core by core in the order in which they got their lanes.
    pub(super) spans: Vec<Span>,
}

/// A row between dispatch and finish.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    dispatch: f64,
    finish: f64,
    pub(super) row: u32,
}

impl LanesOf {
    pub(super) fn of(tasks: &TaskTable, cores: &Cores) -> Self {
        let mut lanes = Self {
            by_row: vec![0; tasks.rows.len()],
            counts: Vec::with_capacity(cores.all.len()),
            spans: vec![Span::default(); tasks.rows.len()],
        };
        let places = lanes.deal(tasks, cores);
        let mut used = 0;
        for &(core, _) in &cores.all {
            let (begin, end) = places[usize::from(core)];
            let spans = &mut lanes.spans[begin..end];
            // Stable: rows dispatched at one time stay in file order.
            spans.sort_by(|a, b| {
                a.dispatch
                    .partial_cmp(&b.dispatch)
                    .unwrap_or(Ordering::Equal)
            });
            let mut open = Lanes::default();
            for span in &*spans {
                lanes.by_row[span.row as usize] = open.take(span.dispatch, span.finish);
            }
            lanes.counts.push(open.count);
            lanes.spans.copy_within(begin..end, used);
            used += end - begin;
        }
        lanes.spans.truncate(used);
        lanes
    }

    /// Puts the spans of each core together, and says from where to where they are.
    fn deal(&mut self, tasks: &TaskTable, cores: &Cores) -> Vec<(usize, usize)> {
        let mut places = Vec::with_capacity(cores.row_counts.len());
        let mut begin = 0;
        for &count in &cores.row_counts {
            places.push((begin, begin));
            begin += count as usize;
        }
        for (place, row) in (0_u32..).zip(&tasks.rows) {
            if let Some((dispatch, finish)) = row.aicpu_span() {
                let (_, end) = &mut places[usize::from(row.core)];
                self.spans[*end] = Span {
                    dispatch: dispatch.value,
                    finish: finish.value,
                    row: place,
                };
                *end += 1;
            }
        }
        places
    }
}

/// When the last row of each lane finished: a tree of least times, so that the first lane that is
/// free is found in few steps however many there are.
#[derive(Default)]
struct Lanes {
    count: u32,
    /// Node 1 is the root, node n has 2n and 2n + 1 below it; the second half are the lanes.
    least: Vec<f64>,
}

impl Lanes {
    /// Puts a row into the first lane that is free when it is dispatched.
    fn take(&mut self, dispatch: f64, finish: f64) -> u32 {
        // A lane nobody used was free for ever, so the first such one ends the search.
        if self.least.get(1).is_none_or(|&least| least > dispatch) {
            self.grow();
        }
        let lanes = self.least.len() / 2;
        let mut node = 1;
        while node < lanes {
            node *= 2;
            if self.least[node] > dispatch {
                node += 1;
            }
        }
        let lane = u32::try_from(node - lanes).expect("rows are counted in 32 bits");
        self.least[node] = finish;
        while node > 1 {
            node /= 2;
            self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]);
        }
        self.count = self.count.max(lane + 1);
        lane
    }

    /// Doubles the lanes; the new ones are free.
    fn grow(&mut self) {
        let lanes = (self.least.len() / 2).max(1);
        let mut least = vec![f64::NEG_INFINITY; 4 * lanes];
        let used = self.least.len() / 2;
        least[2 * lanes..2 * lanes + used].copy_from_slice(&self.least[used..]);
        for node in (1..2 * lanes).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        self.least = least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_lane_is_taken() {
        let spans = [
            (0.0, 9.0),
            (1.0, 2.0),
            (1.5, 4.0),
            (2.0, 3.0),
            (3.0, 5.0),
            (4.0, 6.0),
            (9.0, 9.5),
        ];
        let mut lanes = Lanes::default();
        let found = spans.map(|(dispatch, finish)| lanes.take(dispatch, finish));
        assert_eq!(found, [0, 1, 2, 1, 1, 2, 0]);
        assert_eq!(lanes.count, 3);
    }

    #[test]
    fn a_list_gives_the_same_lanes() {
        let mut state = 1_u64;
        let mut random = |limit: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % limit
        };
        let mut tree = Lanes::default();
        let mut list: Vec<f64> = Vec::new();
        for step in 0..5000_u32 {
            let dispatch = f64::from(step);
            let finish = dispatch + f64::from(u32::try_from(random(300)).unwrap());
            let free = list.iter().position(|&last| last <= dispatch);
            let lane = free.unwrap_or(list.len());
            match list.get_mut(lane) {
                Some(last) => *last = finish,
                None => list.push(finish),
            }
            assert_eq!(tree.take(dispatch, finish) as usize, lane);
        }
        assert_eq!(tree.count as usize, list.len());
    }
}
