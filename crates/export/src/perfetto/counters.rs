//! Hardware counters as counter tracks: what a task counted, over its cycles, for as long as it ran.
//!
//! Counters and tasks come in the order in which an AICPU thread committed them, so a few rows are
//! read ahead and no more: those of other cores that lie before the one that is looked for.

use super::sequence::{Clock, Sequence};
use super::tracks::Tracks;
use super::wire::Wire;
use lanescope_trace::{
    Chip, PMU_COUNTERS, PmuEvent, PmuRow, PmuUnit, Session, Task, Trace, lost_before,
};
use std::collections::VecDeque;
use std::iter::Peekable;

/// So many rows of one core are kept until their task comes.
const MAX_WAITING: usize = 1024;
/// A row is committed at most so long after its task ended; else it is drawn by itself.
const COMMIT_LIMIT_MS: u64 = 10;

/// The rows of a trace on their way to the tracks.
pub(super) struct Counters<'a> {
    event: Option<&'static PmuEvent>,
    /// By thread.
    rows: Vec<Peekable<Box<dyn Iterator<Item = PmuRow> + 'a>>>,
    /// By core.
    cores: Vec<CoreCounters>,
    commit_limit_ticks: u64,
    /// Rows that are on no track: of another event type, or earlier than a later one of their core.
    pub(super) undrawn: u64,
}

#[derive(Default)]
struct CoreCounters {
    waiting: VecDeque<PmuRow>,
    sequence: Option<Sequence>,
    /// By counter; made when it first counts anything.
    tracks: [Option<CounterTrack>; PMU_COUNTERS],
}

#[derive(Clone, Copy)]
struct CounterTrack {
    id: u64,
    is_zero: bool,
}

/// Where events go.
pub(super) struct Target<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) tracks: &'a mut Tracks,
    pub(super) clock: &'a Clock,
}

impl<'a> Counters<'a> {
    pub(super) fn of(trace: &'a Trace) -> Self {
        let session = trace.session();
        let chip = session.chip.unwrap_or(Chip::A2a3);
        let first = trace.pmu_rows().next();
        let threads = match first {
            Some(_) => trace.threads(),
            None => 0..0,
        };
        let rows = |thread| {
            let rows: Box<dyn Iterator<Item = PmuRow> + 'a> = Box::new(trace.pmu_rows_of(thread));
            rows.peekable()
        };
        let per_ms = session.ticks_per_second / 1000;
        Self {
            event: first.and_then(|row| chip.info().pmu_event(row.event)),
            rows: threads.map(rows).collect(),
            cores: session
                .cores
                .iter()
                .map(|_| CoreCounters::default())
                .collect(),
            commit_limit_ticks: per_ms.saturating_mul(COMMIT_LIMIT_MS),
            undrawn: 0,
        }
    }

    /// Whether there is anything to draw.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Says again where the sequences of the counters stand.
    pub(super) fn restart(&mut self, wire: &mut Wire, clock: &Clock) {
        for core in &mut self.cores {
            if let Some(sequence) = &mut core.sequence {
                sequence.restart(wire, clock);
            }
        }
    }

    /// Draws what was counted of a task.
    pub(super) fn task(&mut self, task: &Task, session: &Session, target: &mut Target<'_>) {
        let core = usize::from(task.core);
        let thread = session.cores[core].thread.unwrap_or(0) as usize;
        if task.run_ticks().is_none() {
            return;
        }
        let last = task.last_ticks().unwrap_or(0);
        let limit = last.saturating_add(self.commit_limit_ticks);
        loop {
            match self.cores[core].waiting.pop_front() {
                Some(row) if row.token == task.token => {
                    let times = (task.start_ticks, task.end_ticks);
                    return self.draw(&row, times, target);
                }
                Some(row) if lost_before(row.token, task) > 0 => {
                    // Of an earlier task, which has no row: it must not reach into this one.
                    if row.ticks <= task.start_ticks {
                        self.alone(&row, target);
                    } else {
                        self.undrawn += 1;
                    }
                }
                Some(row) => return self.cores[core].waiting.push_front(row),
                None if self.read_one(thread, limit, target) => {}
                None => return,
            }
        }
    }

    /// Draws the next row that no task was found for, those read ahead first; `false` when there is none.
    pub(super) fn next_of_rest(&mut self, target: &mut Target<'_>) -> bool {
        let mut waiting = self.cores.iter_mut().map(|core| &mut core.waiting);
        let row = waiting.find_map(VecDeque::pop_front);
        let row = row.or_else(|| self.rows.iter_mut().find_map(Iterator::next));
        let Some(row) = row else {
            return false;
        };
        self.alone(&row, target);
        true
    }

    /// Reads a row of a thread and leaves it with its core; `false` when there is none up to `limit`.
    fn read_one(&mut self, thread: usize, limit: u64, target: &mut Target<'_>) -> bool {
        let Some(rows) = self.rows.get_mut(thread) else {
            return false;
        };
        let Some(row) = rows.next_if(|row| row.ticks <= limit) else {
            return false;
        };
        let waiting = &mut self.cores[usize::from(row.core)].waiting;
        waiting.push_back(row);
        if waiting.len() > MAX_WAITING
            && let Some(oldest) = waiting.pop_front()
        {
            self.alone(&oldest, target);
        }
        true
    }

    /// A row without a task: all that is known of its time is when it was committed.
    fn alone(&mut self, row: &PmuRow, target: &mut Target<'_>) {
        self.draw(row, (row.ticks, row.ticks), target);
    }

    fn draw(&mut self, row: &PmuRow, (start, end): (u64, u64), target: &mut Target<'_>) {
        let core = usize::from(row.core);
        let event = self.event.filter(|event| event.number == row.event);
        let start_units = target.clock.within(Some(start)).filter(|_| start != 0);
        let (Some(event), Some(_)) = (event, start_units) else {
            self.undrawn += 1;
            return;
        };
        let (start, end) = (target.clock.at(start), target.clock.at(end));
        let counters = &mut self.cores[core];
        let latest = counters.sequence.as_ref().map_or(0, Sequence::latest);
        if start < latest {
            self.undrawn += 1;
            return;
        }
        for (counter, column) in event.columns() {
            let unit = PmuUnit::of(event, column);
            let count = u128::from(row.counters[counter]);
            let rate = unit.rate(count, row.total_cycles.into()) * scale(unit);
            counters.set(target, core, (counter, column, unit), start, rate);
        }
        if end > start {
            for (counter, column) in event.columns() {
                let unit = PmuUnit::of(event, column);
                counters.set(target, core, (counter, column, unit), end, 0.0);
            }
        }
    }
}

impl CoreCounters {
    /// Sets a track's value; a track that never counted anything is not made.
    fn set(
        &mut self,
        target: &mut Target<'_>,
        core: usize,
        (counter, column, unit): (usize, &'static str, PmuUnit),
        at: u64,
        rate: f64,
    ) {
        let is_zero = rate == 0.0;
        let track = match self.tracks[counter] {
            Some(track) => track,
            None if is_zero => return,
            None => {
                let id = target
                    .tracks
                    .counter(target.wire, core, column, unit_name(unit));
                CounterTrack { id, is_zero: true }
            }
        };
        let was_zero = track.is_zero;
        self.tracks[counter] = Some(CounterTrack { is_zero, ..track });
        if is_zero && was_zero {
            return;
        }
        let sequence = self.sequence.get_or_insert_with(|| {
            let id = target.tracks.ids.next_sequence();
            Sequence::start(target.wire, id, track.id, target.clock)
        });
        sequence.counter(target.wire, at, track.id, rate);
    }
}

/// Utilisation is drawn in percent.
const fn scale(unit: PmuUnit) -> f64 {
    match unit {
        PmuUnit::Cycles => 100.0,
        PmuUnit::Bytes(_) | PmuUnit::Events => 1.0,
    }
}

const fn unit_name(unit: PmuUnit) -> &'static str {
    match unit {
        PmuUnit::Cycles => "%",
        PmuUnit::Bytes(_) | PmuUnit::Events => unit.name(),
    }
}
