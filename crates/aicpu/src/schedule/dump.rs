//! Tensors of tasks: copied before a task is dispatched and after it has finished, piece by piece.
//!
//! A task keeps its place on a core from when it is bound to it until its successors are released. While
//! its inputs are copied the core is given nothing else.

use super::executor::Executor;
use super::jobs::Job;
use crate::Failure;
use crate::record::{Copied, Task, TensorOwner};
use core::sync::atomic::Ordering;
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Device, Stage};

/// What a round's share of copying came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    pub(crate) has_copied: bool,
    pub(crate) completed: u32,
    pub(crate) dispatched: u32,
    /// The first job waits for room, until then at the latest.
    pub(crate) stands_until: Option<u64>,
}

impl<D: Device, const RING: usize> Executor<'_, D, RING> {
    /// Makes a job of a task's tensors at a stage; `false` when there are none.
    pub(crate) fn add_job(&mut self, job: Job) -> Result<bool, Failure> {
        if !self.has_tensors || !self.graph.has_tensors(job.task, job.stage)? {
            return Ok(false);
        }
        let core = &mut self.cores.as_mut_slice()[job.position];
        core.jobs += 1;
        core.is_bound |= job.stage == Stage::BeforeDispatch;
        self.jobs.push(job);
        Ok(true)
    }

    /// Copies as much as a round may: for the first job, which ends with its last tensor, and those behind.
    pub(crate) fn step_jobs(&mut self) -> Result<Step, Failure> {
        let mut step = Step::default();
        let mut budget_bytes = u64::from(self.control.header().tensor_piece_bytes);
        while budget_bytes != 0
            && step.stands_until.is_none()
            && let Some(job) = self.jobs.first()
        {
            self.step_job(job, &mut budget_bytes, &mut step)?;
        }
        Ok(step)
    }

    /// Copies a piece for the first job, and ends the job with its last.
    fn step_job(
        &mut self,
        job: Job,
        budget_bytes: &mut u64,
        step: &mut Step,
    ) -> Result<(), Failure> {
        if !self.jobs.is_copying {
            self.begin_tensor(job)?;
        }
        match self.recorder.copy_tensor(budget_bytes)? {
            Copied::Stands { until_ticks } => {
                step.stands_until = Some(until_ticks);
                return Ok(());
            }
            Copied::Piece => {}
            Copied::Whole => {
                self.jobs.is_copying = false;
                self.jobs.next_tensor += 1;
                let next = self.jobs.next_tensor;
                if self.graph.tensor(job.task, job.stage, next)?.is_none() {
                    self.end_job(job, step)?;
                }
            }
        }
        self.shared.copied.value.fetch_add(1, Ordering::Relaxed);
        step.has_copied = true;
        Ok(())
    }

    fn begin_tensor(&mut self, job: Job) -> Result<(), Failure> {
        let found = self
            .graph
            .tensor(job.task, job.stage, self.jobs.next_tensor)?;
        let (index, tensor) = found.ok_or(DeviceError::Internal)?;
        let task = self.graph.task(job.task)?;
        let owner = TensorOwner {
            core: self.cores.as_slice()[job.position].index,
            token: job.token,
            task: Task {
                task_id: task.task_id,
                func_id: task.func_id,
                tag: job.task,
            },
        };
        self.recorder.begin_tensor(&owner, tensor, job.stage)?;
        self.jobs.next_tensor = index;
        self.jobs.is_copying = true;
        Ok(())
    }

    fn end_job(&mut self, job: Job, step: &mut Step) -> Result<(), Failure> {
        self.jobs.pop();
        let core = &mut self.cores.as_mut_slice()[job.position];
        core.jobs -= 1;
        match job.stage {
            Stage::BeforeDispatch => {
                core.is_bound = false;
                let task = self.graph.task(job.task)?;
                self.dispatch(job.position, job.task, task)?;
                step.dispatched += 1;
            }
            Stage::AfterCompletion => {
                self.graph.complete(self.shared, job.task)?;
                step.completed += 1;
            }
        }
        Ok(())
    }
}
