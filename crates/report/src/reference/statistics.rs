//! Sums over the rows, as doubles and in file order.

use lanescope_trace::reference::{Document, TaskRow};
use std::collections::{BTreeMap, HashSet};

/// Sums of all rows and of each function's.
pub(super) struct Statistics {
    pub(super) functions: BTreeMap<u32, Sums>,
    pub(super) all: Sums,
    /// Distinct cores.
    pub(super) cores: u64,
    /// First dispatch and last finish, of rows that have both.
    pub(super) bounds: Option<(f64, f64)>,
    /// Tail waits, ascending.
    pub(super) tails: Vec<f64>,
}

/// Sums of some rows, in microseconds.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) count: u64,
    pub(super) exec: f64,
    /// Dispatch to finish.
    pub(super) latency: f64,
    /// Dispatch to start.
    pub(super) head: Mean,
    /// End to finish.
    pub(super) tail: Mean,
}

#[derive(Default)]
pub(super) struct Mean {
    pub(super) sum: f64,
    count: u64,
}

impl Statistics {
    pub(super) fn of(document: &Document) -> Self {
        let mut statistics = Self {
            functions: BTreeMap::new(),
            all: Sums::default(),
            cores: 0,
            bounds: None,
            tails: Vec::new(),
        };
        let mut cores = HashSet::new();
        for row in &document.tasks.rows {
            cores.insert(row.core);
            statistics
                .functions
                .entry(row.func_id)
                .or_default()
                .add(row);
            statistics.all.add(row);
            if let Some((dispatch, finish)) = row.dispatch().zip(row.finish()) {
                let (first, last) = statistics.bounds.unwrap_or((dispatch.value, finish.value));
                statistics.bounds = Some((first.min(dispatch.value), last.max(finish.value)));
                statistics.tails.push(finish.minus(row.end()).value);
            }
        }
        statistics.cores = cores.len() as u64;
        statistics.tails.sort_by(f64::total_cmp);
        statistics
    }

    /// First dispatch to last finish.
    pub(super) fn wall_us(&self) -> f64 {
        self.bounds.map_or(0.0, |(first, last)| last - first)
    }

    /// The tail wait that so many of a hundred do not exceed.
    pub(super) fn tail_percentile(&self, percent: usize) -> Option<f64> {
        let last = self.tails.len().checked_sub(1)?;
        Some(self.tails[(self.tails.len() * percent / 100).min(last)])
    }
}

impl Sums {
    fn add(&mut self, row: &TaskRow) {
        self.count += 1;
        self.exec += row.duration().value;
        if let Some((dispatch, finish)) = row.dispatch().zip(row.finish()) {
            self.latency += finish.minus(dispatch).value;
            self.head.add(row.start().minus(dispatch).value);
            self.tail.add(finish.minus(row.end()).value);
        }
    }

    pub(super) fn mean_exec(&self) -> f64 {
        ratio(self.exec, as_double(self.count))
    }

    pub(super) fn mean_latency(&self) -> f64 {
        ratio(self.latency, as_double(self.count))
    }

    /// Execution as a percentage of latency.
    pub(super) fn exec_share(&self) -> f64 {
        share(self.exec, self.latency)
    }
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    pub(super) fn mean(&self) -> f64 {
        ratio(self.sum, as_double(self.count))
    }
}

/// 0 where there is nothing to divide by.
pub(super) fn ratio(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// In per cent; 0 where there is nothing to divide by.
pub(super) fn share(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of * 100.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn as_double(count: u64) -> f64 {
    count as f64
}
