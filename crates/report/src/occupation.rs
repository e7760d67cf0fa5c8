//! What each core did at every tick of the makespan: the parts add up to it exactly.
//!
//! A core's rows come in order of start, so one pass with a few words a core is enough. Between two
//! kernels the stretch is cut at two places: where everything that ended is seen finished (before it:
//! tail wait), and where the next row was dispatched (after it: head wait). In what is left the core had
//! nothing in hand: it was blocked while its AICPU thread waited for the host, else starved. A stretch
//! beside a time that is not known, or beside a lost record, is unknown and is called so.

use crate::ranking::Ranking;
use lanescope_trace::{Kind, SchedulerPhase, Task, Trace, lost_before, lost_between};

/// Ticks of one core by what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) run: u64,
    pub(crate) head_wait: u64,
    pub(crate) tail_wait: u64,
    pub(crate) starved: u64,
    pub(crate) blocked: u64,
    pub(crate) unknown: u64,
}

impl Parts {
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, part: u64| *sum = sum.saturating_add(part);
        add(&mut self.run, other.run);
        add(&mut self.head_wait, other.head_wait);
        add(&mut self.tail_wait, other.tail_wait);
        add(&mut self.starved, other.starved);
        add(&mut self.blocked, other.blocked);
        add(&mut self.unknown, other.unknown);
    }
}

/// A stretch in which a core had nothing in hand, between two of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) core: u16,
    pub(crate) from_ticks: u64,
    pub(crate) to_ticks: u64,
    pub(crate) after_task: u64,
    pub(crate) before_task: u64,
}

/// The cores of a run, row by row.
#[derive(Debug)]
pub(crate) struct Occupation {
    cores: Vec<CoreState>,
    /// By AICPU thread.
    blocked: Vec<Stretches>,
    pub(crate) gaps: Ranking<Gap>,
}

#[derive(Clone, Debug)]
struct CoreState {
    parts: Parts,
    thread: Option<usize>,
    first_token: Option<u32>,
    /// Of the last row, placed or not.
    last_token: Option<u32>,
    /// Tasks it was given, where the verdict says, and its rows.
    dispatched: Option<u64>,
    rows: u64,
    /// Rows missing before one that is here.
    lost_between: u64,
    /// The last row that has a start and an end.
    last_placed: u64,
    /// Where the opening stretch ends, once a row is placed, and whether the core had nothing in hand
    /// in it.
    opening: Option<(u64, bool)>,
    ended: u64,
    finished: u64,
    /// Whether the stretch behind `ended` lies beside something that is not known.
    doubtful: bool,
}

impl Occupation {
    pub(crate) fn new(trace: &Trace) -> Self {
        let cores = trace.session().cores.iter().map(|core| CoreState {
            parts: Parts::default(),
            thread: core.thread.map(|thread| thread as usize),
            first_token: core.first_token,
            last_token: None,
            dispatched: None,
            rows: 0,
            lost_between: 0,
            last_placed: 0,
            opening: None,
            ended: 0,
            finished: 0,
            doubtful: false,
        });
        let mut cores: Vec<CoreState> = cores.collect();
        let counts = trace.verdict().into_iter();
        let counts = counts.flat_map(|verdict| &verdict.cores);
        for of_core in counts.filter(|counts| counts.kind == Kind::TASK) {
            let core = of_core.core.and_then(|core| cores.get_mut(core as usize));
            if let Some(core) = core {
                let before = core.dispatched.unwrap_or(0);
                core.dispatched = Some(before.saturating_add(of_core.dispatched));
            }
        }
        Self {
            cores,
            blocked: trace
                .threads()
                .map(|thread| Stretches::of_thread(trace, thread))
                .collect(),
            gaps: Ranking::new(),
        }
    }

    /// Takes the next row of its core.
    #[inline]
    pub(crate) fn row(&mut self, task: &Task) {
        let core = &mut self.cores[usize::from(task.core)];
        let lost = core.lost_before(task);
        core.lost_between += u64::from(lost);
        core.rows += 1;
        core.doubtful |= lost > 0;
        core.last_token = Some(task.token);
        if task.run_ticks().is_none() {
            // Somewhere here it ran: how long is not known.
            core.doubtful = true;
            return;
        }
        let (start, end) = (task.start_ticks, task.end_ticks);
        let dispatched = Some(task.dispatch_ticks).filter(|&at| at != 0 && at <= start);
        if core.opening.is_none() {
            let at = dispatched.unwrap_or(start);
            core.parts.head_wait += start - at;
            core.opening = Some((at, dispatched.is_some() && !core.doubtful));
            core.doubtful = false;
            core.ended = start;
        } else if start > core.ended {
            let idle = core.between(start, dispatched);
            if let Some((from_ticks, to_ticks)) = idle {
                core.idle(&self.blocked, from_ticks, to_ticks);
                self.gaps.offer(
                    to_ticks - from_ticks,
                    Gap {
                        core: task.core,
                        from_ticks,
                        to_ticks,
                        after_task: core.last_placed,
                        before_task: task.task_id,
                    },
                );
            }
        }
        core.parts.run += end.saturating_sub(start.max(core.ended));
        if end > core.ended {
            // What is not known of the rows before lies before this one.
            core.doubtful = false;
            core.ended = end;
        }
        core.last_placed = task.task_id;
        match task.tail_wait_ticks() {
            Some(_) => core.finished = core.finished.max(task.finish_ticks),
            None => core.doubtful = true,
        }
    }

    /// Tasks that were dispatched and have no row, on all cores.
    pub(crate) fn lost(&self) -> u64 {
        let lost = self.cores.iter().map(CoreState::lost);
        lost.fold(0, u64::saturating_add)
    }

    /// The parts of each core, over a makespan that holds every row.
    pub(crate) fn end(mut self, (first, last): (u64, u64)) -> (Vec<Parts>, Ranking<Gap>) {
        for core in &mut self.cores {
            // Those that no row behind them tells of ran at the end.
            core.doubtful |= core.lost() > core.lost_between;
            let Some((opening, is_idle)) = core.opening else {
                match core.doubtful {
                    true => core.parts.unknown += last - first,
                    false => core.idle(&self.blocked, first, last),
                }
                continue;
            };
            match is_idle {
                true => core.idle(&self.blocked, first, opening),
                false => core.parts.unknown += opening - first,
            }
            if let Some((from, to)) = core.between(last, Some(last)) {
                core.idle(&self.blocked, from, to);
            }
        }
        let parts = self.cores.iter().map(|core| core.parts).collect();
        (parts, self.gaps)
    }
}

impl CoreState {
    /// How many records are missing between the last row and this one.
    #[inline]
    fn lost_before(&self, task: &Task) -> u32 {
        match self.last_token {
            Some(token) if task.token == token.wrapping_add(1) => 0,
            Some(token) => {
                let last = Task {
                    token,
                    ..Task::default()
                };
                lost_between(&last, task)
            }
            None => self.first_token.map_or(0, |first| lost_before(first, task)),
        }
    }

    /// Tasks it was given that have no row.
    fn lost(&self) -> u64 {
        match self.dispatched {
            Some(tasks) => tasks.saturating_sub(self.rows),
            None => self.lost_between,
        }
    }

    /// Cuts the stretch from the last end to `until`; gives the part with nothing in hand.
    #[inline]
    fn between(&mut self, until: u64, dispatched: Option<u64>) -> Option<(u64, u64)> {
        let from = self.ended;
        let head = dispatched.unwrap_or(until).max(from);
        let seen = self.finished.clamp(from, head);
        self.parts.tail_wait += seen - from;
        self.parts.head_wait += until - head;
        let doubtful = std::mem::take(&mut self.doubtful) || dispatched.is_none();
        if doubtful {
            self.parts.unknown += head - seen;
            return None;
        }
        (seen < head).then_some((seen, head))
    }

    fn idle(&mut self, blocked: &[Stretches], from: u64, to: u64) {
        let stretches = self.thread.and_then(|thread| blocked.get(thread));
        let blocked = stretches.map_or(0, |stretches| stretches.inside(from, to));
        self.parts.blocked += blocked;
        self.parts.starved += to - from - blocked;
    }
}

/// Stretches of time that do not overlap, in order.
#[derive(Debug, Default)]
pub(crate) struct Stretches {
    /// Start, end, and the ticks in all before it.
    stretches: Vec<(u64, u64, u64)>,
}

impl Stretches {
    /// The waits of a thread for the host.
    pub(crate) fn of_thread(trace: &Trace, thread: u32) -> Self {
        let phases = trace.scheduler_phases(thread);
        let waits = phases.filter(|phase| phase.phase == SchedulerPhase::BLOCKED);
        let waits = waits.map(|phase| (phase.start_ticks, phase.end_ticks));
        let mut waits: Vec<_> = waits
            .filter(|&(start, end)| start != 0 && start < end)
            .collect();
        waits.sort_unstable();
        let mut found = Self::default();
        let (mut latest, mut before) = (0, 0);
        for (start, end) in waits {
            let start = start.max(latest);
            if start < end {
                found.stretches.push((start, end, before));
                before += end - start;
                latest = end;
            }
        }
        found
    }

    /// How long they are together.
    pub(crate) fn ticks(&self) -> u64 {
        let last = self.stretches.last();
        last.map_or(0, |&(start, end, before)| before + end - start)
    }

    /// How much of the time from `from` to `to` lies in them.
    pub(crate) fn inside(&self, from: u64, to: u64) -> u64 {
        self.before(to) - self.before(from)
    }

    /// How much of the time before `at` lies in them.
    fn before(&self, at: u64) -> u64 {
        let place = self.stretches.partition_point(|&(start, ..)| start < at);
        let last = place
            .checked_sub(1)
            .and_then(|last| self.stretches.get(last));
        last.map_or(0, |&(start, end, before)| before + end.min(at) - start)
    }
}
