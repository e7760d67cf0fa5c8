//! The recorder of one AICPU thread.

use super::attach;
use super::capture::slot_lines;
use super::finished::Finished;
use super::lanes::Lanes;
use super::phases::{Phase, Phases};
use super::state::{Core, Dispatched, RecordState, Task, ring_size};
use super::status::Status;
use super::tasks::Outcome;
use super::tensors::{Copied, TensorOwner};
use crate::{Control, Failure};
use core::mem::offset_of;
use lanescope_abi::control::{CoreAnswer, CoreOrder, DeviceError};
use lanescope_abi::{
    AwaitedWord, Barrier, CoreType, Device, LINE_BYTES, Stage, TaskTensor, Token, is_mutant,
};

/// Follows the tokens of one AICPU thread's cores and commits their records.
///
/// Cores are core indices of the launch; one that the thread does not own is
/// [`DeviceError::Internal`].
#[derive(Debug)]
pub struct Recorder<'a, D, const RING: usize> {
    control: &'a Control<'a, D>,
    thread: u32,
    state: &'a mut RecordState<RING>,
    lanes: Lanes<'a, D>,
    status: Status<'a, D>,
    /// Whether `dispatch` and `finish` are taken.
    is_timed: bool,
    /// Bytes of a staging slot.
    slot_bytes: u64,
    completed: u64,
}

impl<'a, D: Device, const RING: usize> Recorder<'a, D, RING> {
    /// Attaches as AICPU thread `thread`: finds its cores and its lanes, and fills the order line of
    /// each core up to, but not including, `ready_run`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadLayout`], [`DeviceError::AbiMismatch`] or [`DeviceError::CorruptQueue`];
    /// the status line says so already.
    pub fn attach(
        control: &'a Control<'a, D>,
        thread: u32,
        state: &'a mut RecordState<RING>,
    ) -> Result<Self, Failure> {
        if thread >= control.header.thread_count || control.header.ring_size != ring_size::<RING>()
        {
            return Err(DeviceError::Internal.into());
        }
        let mut status = Status::new(control, thread);
        match attach::lanes_and_cores(control, thread, state) {
            Ok(lanes) => Ok(Self {
                control,
                thread,
                state,
                lanes,
                status,
                is_timed: control.header.swimlane_level >= 2,
                slot_bytes: u64::from(slot_lines(control)) * LINE_BYTES,
                completed: 0,
            }),
            Err(failure) => {
                status.fail(&failure);
                Err(failure)
            }
        }
    }

    /// The thread's cores, in the order of their indices.
    pub fn cores(&self) -> impl Iterator<Item = (u32, CoreType)> + '_ {
        (0u32..)
            .zip(&self.state.cores)
            .filter(|(_, core)| core.is_owned)
            .map(|(index, core)| (index, core.core_type))
    }

    /// The token that the next dispatch to `core` gets, and so the payload slot to fill.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Internal`] when as many tokens are in flight as may be.
    #[inline]
    pub fn next_token(&self, core: u32) -> Result<Token, Failure> {
        let core = self.core(core)?;
        if core.count >= self.control.issue_depth() {
            return Err(DeviceError::Internal.into());
        }
        Ok(core.next_token())
    }

    /// Tokens in flight on `core`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Internal`].
    #[inline]
    pub fn in_flight(&self, core: u32) -> Result<u32, Failure> {
        Ok(self.core(core)?.count)
    }

    /// The oldest token in flight on `core`, if there is one.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Internal`].
    pub fn oldest(&self, core: u32) -> Result<Option<Token>, Failure> {
        let core = self.core(core)?;
        Ok((core.count != 0).then_some(core.oldest))
    }

    /// Notes that `task` goes to `core` and returns its token. Called when the payload stands and is
    /// visible, right before the token is written to `DATA_MAIN_BASE`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Internal`] when as many tokens are in flight as may be.
    #[inline]
    pub fn dispatched(&mut self, core: u32, task: Task) -> Result<Token, Failure> {
        let token = self.next_token(core)?;
        let region = self.control.region;
        let core = &mut self.state.cores[core as usize];
        core.dispatched += 1;
        region.store64(
            core.order + offset_of!(CoreOrder, dispatched) as u64,
            core.dispatched,
        );
        core.count += 1;
        let ticks = if self.is_timed {
            region.device().ticks()
        } else {
            0
        };
        core.in_flight[token.slot(ring_size::<RING>()) as usize] = Dispatched { task, ticks };
        Ok(token)
    }

    /// Commits every token of `core` that `cond`, as just read, proves finished.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadCond`] when the core cannot have said that; [`DeviceError::CorruptQueue`].
    #[inline]
    pub fn commit(&mut self, core: u32, cond: u32) -> Result<Finished<RING>, Failure> {
        let state = self.core(core)?;
        match state.proven(cond) {
            Some(proven) => self.commit_oldest(core, proven),
            None => {
                let mut failure = Failure::new(DeviceError::BadCond).on_core(core);
                failure.token = state.oldest.raw();
                failure.cond = cond;
                Err(failure)
            }
        }
    }

    /// Commits what `core` has finished although its `COND` no longer says so: after an EXIT that
    /// cut the run short, the core's answer names the last token that began, and a core that has
    /// left has finished it.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn commit_after_exit(&mut self, core: u32) -> Result<Finished<RING>, Failure> {
        let state = self.core(core)?;
        let region = self.control.region;
        let answer = self.control.header.answers.at(core);
        region.invalidate(answer);
        let exited = region.load32(answer + offset_of!(CoreAnswer, exited_run) as u64);
        region.barrier(Barrier::Load);
        let token = region.load32(answer + offset_of!(CoreAnswer, token) as u64);
        let error = region.load32(answer + offset_of!(CoreAnswer, error) as u64);
        // A core that broke off has not finished the token it names.
        let ran = u32::from(error != DeviceError::Internal as u32);
        let proven = match Token::new(token) {
            Some(token) if exited == self.control.header.run_id => {
                let distance = state.oldest.distance_to(token);
                if distance < state.count {
                    distance + ran
                } else {
                    0
                }
            }
            _ => 0,
        };
        self.commit_oldest(core, proven)
    }

    /// Whether phases are recorded: from swimlane level 3 on.
    #[inline]
    #[must_use]
    pub fn records_phases(&self) -> bool {
        self.lanes.phases.is_some()
    }

    /// Whether phases of an orchestrator are recorded: from swimlane level 4 on.
    #[inline]
    #[must_use]
    pub fn records_orchestrator(&self) -> bool {
        let phases = self.lanes.phases.as_ref();
        phases.is_some_and(Phases::has_orchestrator)
    }

    /// Enters a round of the scheduler, for the record of a wait that a commit takes in it.
    #[inline]
    pub fn enter_round(&mut self, round: u32) {
        if let Some(phases) = &mut self.lanes.phases {
            phases.enter_round(round);
        }
    }

    /// Records what the thread did, as a scheduler or as an orchestrator: nothing, and nothing is counted,
    /// below swimlane level 3, of an orchestrator below level 4.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn phase(&mut self, phase: &Phase) -> Result<(), Failure> {
        match &mut self.lanes.phases {
            Some(phases) => Ok(phases.commit(phase)?),
            None => Ok(()),
        }
    }

    /// Whether tensors are recorded in this run.
    #[inline]
    #[must_use]
    pub fn records_tensors(&self) -> bool {
        self.lanes.tensors.is_some()
    }

    /// Begins to copy a tensor of a task into the lane's arena; go on with [`Recorder::copy_tensor`] until
    /// that says it is whole. One at a time.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadGraph`] for a tensor of no known type, or one that reaches outside its memory;
    /// [`DeviceError::Internal`] when tensors are not recorded in this run.
    pub fn begin_tensor(
        &mut self,
        owner: &TensorOwner,
        tensor: &TaskTensor,
        stage: Stage,
    ) -> Result<(), Failure> {
        let core_type = self.core(owner.core)?.core_type;
        let tensors = self.lanes.tensors.as_mut().ok_or(DeviceError::Internal)?;
        let begun = tensors.begin(owner, core_type, tensor, stage);
        begun.map_err(|error| Failure::new(error).on_core(owner.core))
    }

    /// Copies a piece of the tensor that is under way: at most `budget_bytes`, from which it takes off what
    /// that cost. A caller that spends `tensor_piece_bytes` of the header and then looks at its cores again
    /// keeps none of them waiting longer than that takes, however many tensors it is.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`]; [`DeviceError::Internal`] when none is under way.
    pub fn copy_tensor(&mut self, budget_bytes: &mut u64) -> Result<Copied, Failure> {
        Ok(self.lanes.copy_tensor(budget_bytes)?)
    }

    /// What ends the wait of a tensor that stands.
    #[must_use]
    pub fn awaited_room(&self) -> Option<AwaitedWord> {
        self.lanes.tensors.as_ref()?.awaited()
    }

    /// Programs the hardware counters of `core`, which has answered that it is `physical_core`, and
    /// switches them on; nothing while they are off in this run. Called before the core is told that its
    /// registers are initialised.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadAnswer`] when the host knows no counters of such a core;
    /// [`DeviceError::Internal`].
    pub fn open_counters(&mut self, core: u32, physical_core: u32) -> Result<(), Failure> {
        self.core(core)?;
        if let Some(pmu) = &self.lanes.pmu {
            let base = self.control.counters_of(physical_core).ok_or_else(|| {
                let failure = Failure::new(DeviceError::BadAnswer).on_core(core);
                failure.after(u64::from(physical_core))
            })?;
            pmu.open(&mut self.state.cores[core as usize].pmu, base);
        }
        Ok(())
    }

    /// Puts the switches of all cores' counters back: when the cores have left, and before any error
    /// return.
    pub fn close_counters(&mut self) {
        if let Some(pmu) = &self.lanes.pmu {
            for core in &mut self.state.cores {
                pmu.close(&mut core.pmu);
            }
        }
    }

    /// Hands over what is left in the buffers.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.lanes.flush()?)
    }

    /// Tasks seen finished on this thread's cores.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// The thread's status line.
    pub fn status(&mut self) -> &mut Status<'a, D> {
        &mut self.status
    }

    /// The AICPU thread.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// The control region.
    #[must_use]
    pub fn control(&self) -> &'a Control<'a, D> {
        self.control
    }

    #[inline]
    fn commit_oldest(&mut self, core: u32, proven: u32) -> Result<Finished<RING>, Failure> {
        let mut finished = Finished::new();
        if proven == 0 {
            return Ok(finished);
        }
        let header = &self.control.header;
        let region = self.control.region;
        let index = core;
        let core = &mut self.state.cores[index as usize];
        // COND, then the slots it speaks of.
        if !is_mutant("cond-unfenced") {
            region.barrier(Barrier::Load);
        }
        let now = if self.is_timed || self.lanes.pmu.is_some() {
            region.device().ticks()
        } else {
            0
        };
        let finish_ticks = if self.is_timed { now } else { 0 };
        let mut result = Ok(());
        for _ in 0..proven {
            let token = core.oldest;
            let slot = token.slot(ring_size::<RING>());
            let Dispatched { task, ticks } = core.in_flight[slot as usize];
            if self.lanes.are_on() {
                let outcome = Outcome {
                    task_id: task.task_id,
                    func_id: task.func_id,
                    core_and_type: (core.core_type as u32) << 16 | index,
                    token_and_run: u64::from(header.run_id) << 32 | u64::from(token.raw()),
                    dispatch_ticks: ticks,
                    finish_ticks,
                };
                let slot = core.ring + u64::from(slot) * self.slot_bytes;
                let committed = self.lanes.commit(core, slot, &outcome, now);
                result = result.and(committed);
            }
            core.oldest = token.next();
            core.count -= 1;
            core.completed += 1;
            finished.push(task.tag);
        }
        region.store64(
            core.order + offset_of!(CoreOrder, completed) as u64,
            core.completed,
        );
        self.completed += u64::from(proven);
        self.status.completed(self.completed);
        match result {
            Ok(()) => Ok(finished),
            Err(error) => Err(Failure::new(error).on_core(index)),
        }
    }

    #[inline]
    fn core(&self, index: u32) -> Result<&Core<RING>, Failure> {
        match self.state.cores.get(index as usize) {
            Some(core) if core.is_owned => Ok(core),
            _ => Err(DeviceError::Internal.into()),
        }
    }
}
