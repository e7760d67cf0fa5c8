//! The lanes of one AICPU thread: those of the collectors that are on.

use super::capture::Capture;
use super::lane::Lane;
use super::phases::Phases;
use super::pmu::Pmu;
use super::state::Core;
use super::tasks::{Outcome, Tasks};
use super::tensors::{Copied, Tensors};
use crate::{Control, Failure};
use lanescope_abi::Device;
use lanescope_abi::control::DeviceError;

/// The lanes of the collectors that are on.
#[derive(Debug)]
pub(crate) struct Lanes<'a, D> {
    pub(crate) tasks: Option<Tasks<'a, D>>,
    pub(crate) phases: Option<Phases<'a, D>>,
    pub(crate) pmu: Option<Pmu<'a, D>>,
    pub(crate) tensors: Option<Tensors<'a, D>>,
}

impl<'a, D: Device> Lanes<'a, D> {
    pub(crate) fn attach(
        control: &Control<'a, D>,
        capture: Option<&Capture<'a, D>>,
        thread: u32,
    ) -> Result<Self, Failure> {
        let header = &control.header;
        let Some(capture) = capture else {
            return Ok(Self {
                tasks: None,
                phases: None,
                pmu: None,
                tensors: None,
            });
        };
        let level = header.swimlane_level;
        let tasks = (level >= 1).then(|| Lane::attach(capture, thread));
        let phases = (level >= 3).then(|| Phases::attach(control, capture, thread));
        let pmu = (header.pmu_event != 0).then(|| Pmu::attach(control, capture, thread));
        let tensors =
            (header.tensors.count != 0).then(|| Tensors::attach(control, capture, thread));
        Ok(Self {
            tasks: tasks.transpose()?,
            phases: phases.transpose()?,
            pmu: pmu.transpose()?,
            tensors: tensors.transpose()?,
        })
    }

    /// Whether a finished task leaves a record.
    #[inline]
    pub(crate) fn are_on(&self) -> bool {
        self.tasks.is_some() || self.pmu.is_some()
    }

    /// Commits what the slot at offset `slot` and the core's counters say of one token.
    #[inline]
    pub(crate) fn commit<const RING: usize>(
        &mut self,
        core: &mut Core<RING>,
        slot: u64,
        outcome: &Outcome,
        now: u64,
    ) -> Result<(), DeviceError> {
        let mut result = Ok(());
        let mut wait = None;
        if let Some(tasks) = &mut self.tasks {
            result = tasks.commit_staged(&mut core.counters, slot, outcome);
            wait = tasks.buffers.take_wait();
        }
        if let Some(wait) = wait
            && let Some(phases) = &mut self.phases
        {
            result = result.and(phases.blocked(wait));
        }
        if let Some(pmu) = &mut self.pmu {
            result = result.and(pmu.commit(&mut core.pmu, slot, outcome, now));
            if let Some(wait) = pmu.take_wait()
                && let Some(phases) = &mut self.phases
            {
                result = result.and(phases.blocked(wait));
            }
        }
        result
    }

    /// Copies a piece of the tensor that is under way, within a budget.
    pub(crate) fn copy_tensor(&mut self, budget_bytes: &mut u64) -> Result<Copied, DeviceError> {
        let tensors = self.tensors.as_mut().ok_or(DeviceError::Internal)?;
        let copied = tensors.step(budget_bytes);
        if let Some(wait) = tensors.take_wait()
            && let Some(phases) = &mut self.phases
        {
            phases.blocked(wait)?;
        }
        copied
    }

    /// Hands over what is left in the buffers of all lanes.
    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        let tasks = self.tasks.as_mut().map_or(Ok(()), Lane::flush);
        let pmu = self.pmu.as_mut().map_or(Ok(()), Pmu::flush);
        let phases = self.phases.as_mut().map_or(Ok(()), Phases::flush);
        let tensors = self.tensors.as_mut().map_or(Ok(()), Tensors::flush);
        tasks.and(pmu).and(tensors).and(phases)
    }
}
