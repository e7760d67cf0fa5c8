//! The graph's tables: tasks, successors, fan-in counters and ready queues.

use super::shared::Shared;
use crate::region::Region;
use crate::{Control, Failure};
use core::sync::atomic::{AtomicU32, Ordering};
use lanescope_abi::control::{DeviceError, GraphTask};
use lanescope_abi::{CoreType, Device, MAX_TASK_ARGS, Section, Stage, TaskTensor};

/// A host-built graph. Every index that comes out of it is checked before it is used.
#[derive(Debug)]
pub(crate) struct Graph<'d> {
    tasks: &'d [GraphTask],
    successors: &'d [u32],
    tensors: &'d [TaskTensor],
    fan_in: &'d [AtomicU32],
    /// By core type: task index + 1, or 0 while empty.
    ready: [&'d [AtomicU32]; 2],
}

impl<'d> Graph<'d> {
    /// Attaches to the tables and, where the chip asks for it, forgets what this agent knew of them.
    pub(crate) fn attach<D: Device>(control: &Control<'d, D>) -> Result<Self, Failure> {
        let (region, header) = (control.region, &control.header);
        if control.chip.aicpu_invalidates_host_lines {
            let [cube, vector] = &header.ready;
            for section in [
                &header.tasks,
                &header.successors,
                &header.fan_in,
                &header.tensors,
                cube,
                vector,
            ] {
                // Where a table of nothing lies is not checked.
                if section.count == 0 {
                    continue;
                }
                let end = section.end().ok_or(DeviceError::BadLayout)?;
                let bytes = end - section.offset_bytes;
                region.invalidate_range(section.offset_bytes, bytes);
            }
        }
        let tasks = table::<GraphTask, D>(&region, &header.tasks)?;
        let fan_in = table::<AtomicU32, D>(&region, &header.fan_in)?;
        let count = header.task_count as usize;
        Ok(Self {
            tasks: tasks.get(..count).ok_or(DeviceError::BadLayout)?,
            successors: table::<u32, D>(&region, &header.successors)?,
            tensors: table::<TaskTensor, D>(&region, &header.tensors)?,
            fan_in: fan_in.get(..count).ok_or(DeviceError::BadLayout)?,
            ready: [
                table::<AtomicU32, D>(&region, &header.ready[0])?,
                table::<AtomicU32, D>(&region, &header.ready[1])?,
            ],
        })
    }

    /// Takes a ready task of `core_type`, if there is one.
    pub(crate) fn pop(
        &self,
        shared: &Shared<'_>,
        core_type: CoreType,
    ) -> Result<Option<(u32, &'d GraphTask)>, Failure> {
        let kind = core_type as usize;
        let (head, tail) = (
            &shared.ready_head[kind].value,
            &shared.ready_tail[kind].value,
        );
        let index = loop {
            let next = head.load(Ordering::Relaxed);
            if next >= tail.load(Ordering::Acquire) {
                return Ok(None);
            }
            let entry = self.ready[kind].get(next as usize);
            let entry = entry.ok_or(DeviceError::BadGraph)?.load(Ordering::Acquire);
            if entry == 0 {
                // The tail is ahead of the entry that another thread is about to write.
                return Ok(None);
            }
            let taken = head.compare_exchange(next, next + 1, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                break entry - 1;
            }
        };
        let task = self.task(index)?;
        let is_sane = task.core_type == core_type as u32
            && task.kernel_address != 0
            && task.arg_count <= MAX_TASK_ARGS;
        if is_sane {
            Ok(Some((index, task)))
        } else {
            Err(DeviceError::BadGraph.into())
        }
    }

    /// Releases the successors of task `index`, which has finished, and counts it.
    pub(crate) fn complete(&self, shared: &Shared<'_>, index: u32) -> Result<(), Failure> {
        let task = self.task(index)?;
        let first = task.first_successor as usize;
        let successors = first
            .checked_add(task.successor_count as usize)
            .and_then(|end| self.successors.get(first..end))
            .ok_or(DeviceError::BadGraph)?;
        for &successor in successors {
            let waiting = self.fan_in.get(successor as usize);
            let waiting = waiting.ok_or(DeviceError::BadGraph)?;
            match waiting.fetch_sub(1, Ordering::AcqRel) {
                0 => return Err(DeviceError::BadGraph.into()),
                1 => self.push(shared, successor)?,
                _ => {}
            }
        }
        match shared.unfinished.value.fetch_sub(1, Ordering::AcqRel) {
            0 => Err(DeviceError::BadGraph.into()),
            _ => Ok(()),
        }
    }

    /// Whether task `index` has tensors to record at a stage.
    pub(crate) fn has_tensors(&self, index: u32, stage: Stage) -> Result<bool, Failure> {
        Ok(self.tensor(index, stage, 0)?.is_some())
    }

    /// The first tensor of task `index` that is to be recorded at a stage, from its tensor `from` on, and
    /// which one of the task's it is.
    pub(crate) fn tensor(
        &self,
        index: u32,
        stage: Stage,
        from: usize,
    ) -> Result<Option<(usize, &'d TaskTensor)>, Failure> {
        let task = self.task(index)?;
        let first = task.first_tensor as usize;
        let tensors = first
            .checked_add(task.tensor_count as usize)
            .and_then(|end| self.tensors.get(first..end))
            .ok_or(DeviceError::BadGraph)?;
        for (number, tensor) in tensors.iter().enumerate().skip(from) {
            if tensor.stages >> Stage::ALL.len() != 0 {
                return Err(DeviceError::BadGraph.into());
            }
            if tensor.stages >> stage as u32 & 1 != 0 {
                return Ok(Some((number, tensor)));
            }
        }
        Ok(None)
    }

    fn push(&self, shared: &Shared<'_>, index: u32) -> Result<(), Failure> {
        let core_type = CoreType::from_raw(self.task(index)?.core_type);
        let kind = core_type.ok_or(DeviceError::BadGraph)? as usize;
        let place = shared.ready_tail[kind].value.fetch_add(1, Ordering::AcqRel);
        let entry = self.ready[kind].get(place as usize);
        let entry = entry.ok_or(DeviceError::BadGraph)?;
        entry.store(index + 1, Ordering::Release);
        Ok(())
    }

    pub(crate) fn task(&self, index: u32) -> Result<&'d GraphTask, Failure> {
        let task = self.tasks.get(index as usize);
        Ok(task.ok_or(DeviceError::BadGraph)?)
    }
}

/// A section as a slice; its items lie side by side.
fn table<'d, T, D: Device>(region: &Region<'d, D>, section: &Section) -> Result<&'d [T], Failure> {
    if section.count == 0 {
        return Ok(&[]);
    }
    if section.stride_bytes as usize != size_of::<T>() || !region.holds::<T>(section, 1) {
        return Err(DeviceError::BadLayout.into());
    }
    let bytes = u64::from(section.count) * u64::from(section.stride_bytes);
    let pointer = region.pointer::<T>(section.offset_bytes, bytes);
    // SAFETY: `pointer` proved alignment and that the items lie in the region, which lives for 'd;
    // they are made of integers. The host writes them before launch only, and what AICPU threads
    // write is of an atomic type.
    Ok(unsafe { core::slice::from_raw_parts(pointer, section.count as usize) })
}
