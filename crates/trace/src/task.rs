//! One executed task on one core.

use crate::Session;
use lanescope_abi::{CoreType, TaskRecord, Token};

/// One executed task on one core: its key is (run, core, token).
///
/// Times are raw ticks of the session's counter; 0 means the time is not known, which the methods
/// below turn into `None`. A task that ran several blocks has one row for each, with one task id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function the task ran.
    pub func_id: u32,
    /// Core index in the launch.
    pub core: u16,
    /// The kind of that core.
    pub core_type: CoreType,
    /// The core's dispatch number; 0 when the source has none.
    pub token: u32,
    /// The run the task belongs to; 0 when the source has none.
    pub run_id: u32,
    /// When the AICPU dispatched it.
    pub dispatch_ticks: u64,
    /// When the core saw it.
    pub receive_ticks: u64,
    /// When the kernel began.
    pub start_ticks: u64,
    /// When the kernel ended.
    pub end_ticks: u64,
    /// When the AICPU saw it finished.
    pub finish_ticks: u64,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            task_id: 0,
            func_id: 0,
            core: 0,
            core_type: CoreType::Aic,
            token: 0,
            run_id: 0,
            dispatch_ticks: 0,
            receive_ticks: 0,
            start_ticks: 0,
            end_ticks: 0,
            finish_ticks: 0,
        }
    }
}

impl Task {
    /// The record a device would have written for the task.
    #[must_use]
    pub const fn record(&self) -> TaskRecord {
        TaskRecord {
            task_id: self.task_id,
            func_id: self.func_id,
            core: self.core,
            core_type: self.core_type as u8,
            reserved: 0,
            token: self.token,
            run_id: self.run_id,
            dispatch_ticks: self.dispatch_ticks,
            receive_ticks: self.receive_ticks,
            start_ticks: self.start_ticks,
            end_ticks: self.end_ticks,
            finish_ticks: self.finish_ticks,
        }
    }

    /// Kernel time: start to end.
    #[inline]
    #[must_use]
    pub const fn run_ticks(&self) -> Option<u64> {
        between(self.start_ticks, self.end_ticks)
    }

    /// Head wait: dispatch to start.
    #[inline]
    #[must_use]
    pub const fn head_wait_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.start_ticks)
    }

    /// The part of the head wait before the core saw the task: dispatch to receive.
    #[inline]
    #[must_use]
    pub const fn receive_wait_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.receive_ticks)
    }

    /// Tail wait: end to finish.
    #[inline]
    #[must_use]
    pub const fn tail_wait_ticks(&self) -> Option<u64> {
        between(self.end_ticks, self.finish_ticks)
    }

    /// The whole stay on the core as the AICPU saw it: dispatch to finish.
    #[inline]
    #[must_use]
    pub const fn latency_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.finish_ticks)
    }

    /// The earliest known time of the task.
    #[inline]
    #[must_use]
    pub fn first_ticks(&self) -> Option<u64> {
        // One less, and the unknown ones are the latest of all.
        let times = self.times().map(|ticks| ticks.wrapping_sub(1));
        let first = times.into_iter().fold(u64::MAX, u64::min);
        first.checked_add(1)
    }

    /// The latest known time of the task.
    #[inline]
    #[must_use]
    pub fn last_ticks(&self) -> Option<u64> {
        let last = self.times().into_iter().fold(0, u64::max);
        (last != 0).then_some(last)
    }

    #[inline]
    const fn times(&self) -> [u64; 5] {
        [
            self.dispatch_ticks,
            self.receive_ticks,
            self.start_ticks,
            self.end_ticks,
            self.finish_ticks,
        ]
    }
}

/// The distance from one time to a later one, when both are known and in that order.
#[inline]
const fn between(from: u64, to: u64) -> Option<u64> {
    if from == 0 || to == 0 {
        return None;
    }
    to.checked_sub(from)
}

/// How many tasks a core ran between two of its rows that have no row themselves.
///
/// Tokens count dispatches, so a step of more than one is that many lost records. 0 when either
/// row has no token, or when they do not go forward.
#[must_use]
pub fn lost_between(earlier: &Task, later: &Task) -> u32 {
    let (Some(from), Some(to)) = (Token::new(earlier.token), Token::new(later.token)) else {
        return 0;
    };
    steps_forward(from, to).saturating_sub(1)
}

/// How many tasks a core ran from its first token to a row, without rows of their own.
#[must_use]
pub fn lost_before(first_token: u32, task: &Task) -> u32 {
    let (Some(first), Some(to)) = (Token::new(first_token), Token::new(task.token)) else {
        return 0;
    };
    steps_forward(first, to)
}

/// A step of more than half the range is a step back: rows out of order, not loss.
fn steps_forward(from: Token, to: Token) -> u32 {
    let steps = from.distance_to(to);
    if steps > lanescope_abi::token::TOKEN_COUNT / 2 {
        return 0;
    }
    steps
}

/// Where a task stands among those of its core; 0 when none of its times is known.
#[inline]
pub(crate) fn order_ticks(task: &Task) -> u64 {
    [
        task.start_ticks,
        task.receive_ticks,
        task.dispatch_ticks,
        task.end_ticks,
        task.finish_ticks,
    ]
    .into_iter()
    .find(|&ticks| ticks != 0)
    .unwrap_or(0)
}

/// The same of a record.
pub(crate) fn order_ticks_of(record: &TaskRecord) -> u64 {
    order_ticks(&Task {
        dispatch_ticks: record.dispatch_ticks,
        receive_ticks: record.receive_ticks,
        start_ticks: record.start_ticks,
        end_ticks: record.end_ticks,
        finish_ticks: record.finish_ticks,
        ..Task::default()
    })
}

/// The task of a record, or `None` when the session has no such core.
///
/// A core type that is none is replaced by the core's own.
#[inline]
pub(crate) fn mapped_task(record: &TaskRecord, session: &Session) -> Option<Task> {
    let core_type = session.cores.get(usize::from(record.core))?.core_type;
    Some(Task {
        task_id: record.task_id,
        func_id: record.func_id,
        core: record.core,
        core_type,
        token: record.token,
        run_id: record.run_id,
        dispatch_ticks: record.dispatch_ticks,
        receive_ticks: record.receive_ticks,
        start_ticks: record.start_ticks,
        end_ticks: record.end_ticks,
        finish_ticks: record.finish_ticks,
    })
}

/// `t7`, in ring 2 `r2t7`: as the reference's tools call tasks; `d1t7` of the device after the first.
#[must_use]
pub fn task_label(task_id: u64) -> String {
    let (ring, local) = (task_id >> 32, task_id & u64::from(u32::MAX));
    // Above the ring of a merged trace stands the number of its device.
    match (ring >> 16, ring & 0xFFFF) {
        (0, 0) => format!("t{local}"),
        (0, ring) => format!("r{ring}t{local}"),
        (device, 0) => format!("d{device}t{local}"),
        (device, ring) => format!("d{device}r{ring}t{local}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope_abi::token::{TOKEN_FIRST, TOKEN_LAST};

    fn token(token: u32) -> Task {
        Task {
            token,
            ..Task::default()
        }
    }

    #[test]
    fn lost_records_are_counted_across_the_wrap() {
        assert_eq!(lost_between(&token(20), &token(21)), 0);
        assert_eq!(lost_between(&token(20), &token(25)), 4);
        let wrapped = lost_between(&token(TOKEN_LAST - 1), &token(TOKEN_FIRST + 1));
        assert_eq!(wrapped, 2);
        assert_eq!(lost_before(16, &token(16)), 0);
        assert_eq!(lost_before(16, &token(19)), 3);
    }

    #[test]
    fn rows_without_order_or_token_count_nothing() {
        assert_eq!(lost_between(&token(25), &token(20)), 0);
        assert_eq!(lost_between(&token(0), &token(20)), 0);
        assert_eq!(lost_before(20, &token(16)), 0);
    }

    #[test]
    fn an_unknown_or_reversed_time_gives_no_distance() {
        let task = Task {
            dispatch_ticks: 10,
            start_ticks: 30,
            end_ticks: 20,
            ..Task::default()
        };
        assert_eq!(task.head_wait_ticks(), Some(20));
        assert_eq!(task.run_ticks(), None);
        assert_eq!(task.tail_wait_ticks(), None);
        assert_eq!(task.first_ticks(), Some(10));
        assert_eq!(task.last_ticks(), Some(30));
    }
}
