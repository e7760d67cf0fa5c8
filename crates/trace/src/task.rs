//! One executed task on one core.

use lanescope_abi::{CoreType, TaskRecord};

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
    /// The task a record describes, or `None` when its core type is not one.
    #[must_use]
    pub const fn from_record(record: &TaskRecord) -> Option<Self> {
        let Some(core_type) = CoreType::from_raw(record.core_type as u32) else {
            return None;
        };
        Some(Self {
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

    /// Kernel time: start to end.
    #[must_use]
    pub const fn run_ticks(&self) -> Option<u64> {
        between(self.start_ticks, self.end_ticks)
    }

    /// Head wait: dispatch to start.
    #[must_use]
    pub const fn head_wait_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.start_ticks)
    }

    /// The part of the head wait before the core saw the task: dispatch to receive.
    #[must_use]
    pub const fn receive_wait_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.receive_ticks)
    }

    /// Tail wait: end to finish.
    #[must_use]
    pub const fn tail_wait_ticks(&self) -> Option<u64> {
        between(self.end_ticks, self.finish_ticks)
    }

    /// The whole stay on the core as the AICPU saw it: dispatch to finish.
    #[must_use]
    pub const fn latency_ticks(&self) -> Option<u64> {
        between(self.dispatch_ticks, self.finish_ticks)
    }

    /// The earliest known time of the task.
    #[must_use]
    pub fn first_ticks(&self) -> Option<u64> {
        self.known_ticks().min()
    }

    /// The latest known time of the task.
    #[must_use]
    pub fn last_ticks(&self) -> Option<u64> {
        self.known_ticks().max()
    }

    fn known_ticks(&self) -> impl Iterator<Item = u64> {
        [
            self.dispatch_ticks,
            self.receive_ticks,
            self.start_ticks,
            self.end_ticks,
            self.finish_ticks,
        ]
        .into_iter()
        .filter(|&ticks| ticks != 0)
    }
}

/// The distance from one time to a later one, when both are known and in that order.
const fn between(from: u64, to: u64) -> Option<u64> {
    if from == 0 || to == 0 {
        return None;
    }
    to.checked_sub(from)
}
