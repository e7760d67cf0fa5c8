//! Tasks whose tensors are to be copied, in the order in which they came.

use crate::MAX_CORES;
use lanescope_abi::{Stage, Token};

/// The jobs of one AICPU thread. A task that has one keeps its place on its core, so there are never
/// more of them than places.
#[derive(Debug)]
pub(crate) struct Jobs<const RING: usize> {
    /// A ring, as long as all its rows together.
    list: [[Job; RING]; MAX_CORES],
    first: usize,
    count: usize,
    /// The next tensor of the first job.
    pub(crate) next_tensor: usize,
    /// Whether one of its tensors is under way.
    pub(crate) is_copying: bool,
}

/// The tensors of one task at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Which of the thread's cores.
    pub(crate) position: usize,
    pub(crate) token: Token,
    /// Index of the task.
    pub(crate) task: u32,
    pub(crate) stage: Stage,
}

impl<const RING: usize> Jobs<RING> {
    pub(crate) fn new() -> Self {
        let none = Job {
            position: 0,
            token: Token::FIRST,
            task: 0,
            stage: Stage::BeforeDispatch,
        };
        Self {
            list: [[none; RING]; MAX_CORES],
            first: 0,
            count: 0,
            next_tensor: 0,
            is_copying: false,
        }
    }

    /// Adds a job; there is room for one of every place on a core.
    pub(crate) fn push(&mut self, job: Job) {
        let list = self.list.as_flattened_mut();
        assert!(self.count < list.len(), "a job has a place on a core");
        let at = (self.first + self.count) % list.len();
        list[at] = job;
        self.count += 1;
    }

    /// The job that is worked on.
    #[inline]
    pub(crate) fn first(&self) -> Option<Job> {
        (self.count != 0).then(|| self.list.as_flattened()[self.first])
    }

    /// Ends the first job.
    pub(crate) fn pop(&mut self) {
        self.first = (self.first + 1) % self.list.as_flattened().len();
        self.count -= 1;
        self.next_tensor = 0;
        self.is_copying = false;
    }
}
