//! The main loop of one AICPU thread: poll, complete, dispatch, idle.

use super::cores::Cores;
use super::dump::Step;
use super::graph::Graph;
use super::idle::{Seen, Stall};
use super::jobs::{Job, Jobs};
use super::rounds::Rounds;
use super::shared::Shared;
use crate::record::{Recorder, Task};
use crate::{Control, Failure};
use core::mem::offset_of;
use lanescope_abi::control::{DeviceError, GraphTask, Payload, Phase};
use lanescope_abi::{Barrier, CoreType, Device, PhaseKind, Stage, Token, is_mutant};

/// A thread that is never idle still looks for an abort once in so many rounds.
const ROUNDS_BETWEEN_ABORT_CHECKS: u32 = 256;

/// One AICPU thread's execution of a graph.
#[derive(Debug)]
pub(crate) struct Executor<'a, D, const RING: usize> {
    pub(super) control: &'a Control<'a, D>,
    pub(super) recorder: Recorder<'a, D, RING>,
    pub(super) shared: &'a Shared<'a>,
    pub(super) graph: Graph<'a>,
    pub(super) cores: Cores,
    pub(super) stall: Stall,
    rounds: Rounds,
    pub(super) jobs: Jobs<RING>,
    /// Whether any task has tensors to record.
    pub(super) has_tensors: bool,
}

impl<'a, D: Device, const RING: usize> Executor<'a, D, RING> {
    pub(crate) fn new(
        recorder: Recorder<'a, D, RING>,
        shared: &'a Shared<'a>,
        graph: Graph<'a>,
    ) -> Self {
        let control = recorder.control();
        let cores = Cores::new(recorder.cores());
        let rounds = Rounds::new(recorder.records_phases());
        Self {
            control,
            recorder,
            shared,
            graph,
            cores,
            stall: Stall::new(),
            rounds,
            jobs: Jobs::new(),
            has_tensors: control.header().tensors.count != 0,
        }
    }

    /// Handshake, tasks, flush, exit.
    pub(crate) fn execute(&mut self) -> Result<(), Failure> {
        self.recorder.status().enter(Phase::Handshake);
        self.cores.open(&mut self.recorder, self.shared)?;
        self.recorder.status().enter(Phase::Running);
        self.run_tasks()?;
        self.recorder.status().enter(Phase::Flush);
        self.recorder.flush()?;
        self.recorder.status().enter(Phase::Exit);
        self.cores.close(self.control)?;
        self.recorder.close_counters();
        self.recorder.status().leave();
        Ok(())
    }

    /// Leaves a run that cannot go on: says why, hands over what there is, and makes the cores leave.
    pub(crate) fn abandon(&mut self, failure: Failure) -> Failure {
        let failure = self.with_registers(failure);
        self.shared.fail(failure.error);
        self.recorder.status().fail(&failure);
        // What fails now is a consequence; the first failure is the one to report.
        let _ = self.rounds.finish(&mut self.recorder);
        let _ = self.recorder.flush();
        let _ = self.cores.close(self.control);
        for core in self.cores.as_slice() {
            let _ = self.recorder.commit_after_exit(core.index);
        }
        self.recorder.close_counters();
        let _ = self.recorder.flush();
        self.recorder.status().leave();
        failure
    }

    fn run_tasks(&mut self) -> Result<(), Failure> {
        self.stall.since_ticks = self.control.device().ticks();
        let mut rounds = 0u32;
        loop {
            let seen = Seen::now(self.shared);
            self.rounds.begin(&mut self.recorder);
            if seen.unfinished == 0 {
                return self.rounds.finish(&mut self.recorder);
            }
            let finished = self.collect_finished()?;
            self.rounds
                .done(&mut self.recorder, PhaseKind::Complete, finished)?;
            let step = self.step_tensors()?;
            let dispatched = step.dispatched + self.dispatch_ready()?;
            self.rounds
                .done(&mut self.recorder, PhaseKind::Dispatch, dispatched)?;
            if self.shared.is_faulty() {
                return Err(DeviceError::Sibling.into());
            }
            rounds = rounds.wrapping_add(1);
            // A tensor of a task that was bound just now is copied in the next round.
            let can_copy = step.stands_until.is_none() && self.jobs.first().is_some();
            let is_idle = finished == 0 && dispatched == 0 && !step.has_copied && !can_copy;
            if (is_idle || rounds.is_multiple_of(ROUNDS_BETWEEN_ABORT_CHECKS))
                && self.control.is_aborted()
            {
                return Err(DeviceError::Aborted.into());
            }
            if is_idle {
                let kind = match step.stands_until {
                    Some(_) => PhaseKind::Blocked,
                    None => PhaseKind::Idle,
                };
                self.rounds.stretch(&mut self.recorder, kind)?;
                self.idle(&seen, step.stands_until)?;
            }
        }
    }

    /// Copies tensors for as long as a round may, if there are any to copy.
    #[inline]
    fn step_tensors(&mut self) -> Result<Step, Failure> {
        if !self.has_tensors {
            return Ok(Step::default());
        }
        let step = self.step_jobs()?;
        if step.has_copied {
            self.rounds.stretch(&mut self.recorder, PhaseKind::Dump)?;
        }
        self.rounds
            .done(&mut self.recorder, PhaseKind::Complete, step.completed)?;
        Ok(step)
    }

    /// Reads the `COND` of every core in use and releases the successors of what has finished.
    /// How many that are.
    fn collect_finished(&mut self) -> Result<u32, Failure> {
        let device = self.control.device();
        let mut count = 0;
        for position in 0..self.cores.as_slice().len() {
            let core = &mut self.cores.as_mut_slice()[position];
            let Some(oldest) = self.recorder.oldest(core.index)? else {
                continue;
            };
            let cond = core.read_cond(device);
            let finished = self.recorder.commit(core.index, cond);
            let finished = finished.map_err(|failure| core.explain(self.control, failure))?;
            let mut token = oldest;
            for &task in finished.iter() {
                let job = Job {
                    position,
                    token,
                    task,
                    stage: Stage::AfterCompletion,
                };
                if !self.add_job(job)? {
                    self.graph.complete(self.shared, task)?;
                    count += 1;
                }
                token = token.next();
            }
        }
        Ok(count)
    }

    /// Hands out ready tasks: to idle cores first, then behind the tokens already in flight.
    /// How many that are.
    fn dispatch_ready(&mut self) -> Result<u32, Failure> {
        let mut count = 0;
        for depth in 0..self.control.issue_depth() {
            for core_type in CoreType::ALL {
                for position in 0..self.cores.as_slice().len() {
                    let core = self.cores.as_slice()[position];
                    if core.core_type != core_type
                        || core.is_bound
                        || self.recorder.in_flight(core.index)? + core.jobs != depth
                    {
                        continue;
                    }
                    let popped = self.graph.pop(self.shared, core_type)?;
                    self.rounds.look(popped.is_some());
                    let Some((index, task)) = popped else {
                        break;
                    };
                    let job = Job {
                        position,
                        token: self.recorder.next_token(core.index)?,
                        task: index,
                        stage: Stage::BeforeDispatch,
                    };
                    if !self.add_job(job)? {
                        self.dispatch(position, index, task)?;
                        count += 1;
                    }
                }
            }
        }
        Ok(count)
    }

    pub(super) fn dispatch(
        &mut self,
        position: usize,
        index: u32,
        task: &GraphTask,
    ) -> Result<(), Failure> {
        let core = &mut self.cores.as_mut_slice()[position];
        let token = self.recorder.next_token(core.index)?;
        write_payload(self.control, core.index, token, task);
        let token = self.recorder.dispatched(
            core.index,
            Task {
                task_id: task.task_id,
                func_id: task.func_id,
                tag: index,
            },
        )?;
        core.write_data_main_base(self.control.device(), token.raw());
        Ok(())
    }

    /// The failure with the registers of the core that holds the thread up, if it names none.
    fn with_registers(&self, failure: Failure) -> Failure {
        let stuck = self.cores.as_slice().iter().find_map(|core| {
            let oldest = self.recorder.oldest(core.index).ok().flatten()?;
            (failure.core == u32::MAX || failure.core == core.index).then_some((core, oldest))
        });
        match stuck {
            Some((core, token)) => {
                let mut described = core.describe(failure);
                described.token = token.raw();
                described
            }
            None => failure,
        }
    }
}

/// Writes the payload of `token` and makes it visible.
#[inline]
fn write_payload<D: Device>(control: &Control<'_, D>, core: u32, token: Token, task: &GraphTask) {
    let (region, header) = (control.region, &control.header);
    let slot = token.slot(header.ring_size);
    let line = header.payloads.at(core * header.ring_size + slot);
    let store = |field: usize, value: u64| region.store64(line + field as u64, value);
    let pair = |first: u32, second: u32| u64::from(second) << 32 | u64::from(first);
    store(offset_of!(Payload, kernel_address), task.kernel_address);
    store(offset_of!(Payload, args_address), task.args_address);
    store(
        offset_of!(Payload, arg_count),
        pair(task.arg_count, token.raw()),
    );
    store(offset_of!(Payload, task_id), task.task_id);
    store(
        offset_of!(Payload, run_id),
        pair(header.run_id, task.func_id),
    );
    if !is_mutant("payload-unfenced") {
        region.barrier(Barrier::Store);
    }
}

/// Two words of a payload are written as one.
const _: () = {
    assert!(offset_of!(Payload, token) == offset_of!(Payload, arg_count) + 4);
    assert!(offset_of!(Payload, func_id) == offset_of!(Payload, run_id) + 4);
};
