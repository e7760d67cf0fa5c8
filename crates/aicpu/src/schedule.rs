//! Schedule: our executor of a graph that the host has built.
//!
//! # Where it sits
//!
//! Each AICPU thread of a launch calls [`run`] once. It finds its cores, shakes hands with them,
//! takes ready tasks by core type, dispatches up to `issue_depth` of them to a core, and releases
//! their successors when they finish. Of recording it uses only what [`crate::record`] exports.
//!
//! # Who writes what
//!
//! The words of [`lanescope_abi::control::SchedulerWords`], the fan-in counters and the ready queues
//! belong to all AICPU threads together; they are reached by ordinary atomics. Graph tables are read
//! plainly: the host writes them before launch only.
//!
//! # Errors
//!
//! The first thread that fails says so in `fault`, and the others leave with
//! [`DeviceError::Sibling`]. A thread that fails writes its status line at once, then flushes, makes
//! its cores leave, and commits what they still finished. Every wait has a limit.

mod cores;
mod dump;
mod executor;
mod graph;
mod idle;
mod jobs;
mod rounds;
mod shared;

use crate::record::{RecordState, Recorder};
use crate::{Control, Failure};
use executor::Executor;
use graph::Graph;
use lanescope_abi::control::{DeviceError, Phase};
use lanescope_abi::{Chip, Device};
use shared::Shared;

/// Runs one AICPU thread of the launch whose control region is at `control_address`.
///
/// The calling thread's index is the order in which threads enter.
///
/// # Errors
///
/// What the status line says; the program returns its number.
///
/// # Safety
///
/// - As for [`Control::attach`]; as many threads call this as the header says, once each.
pub unsafe fn run<D: Device, const RING: usize>(
    device: &D,
    control_address: u64,
    chip: Chip,
) -> Result<(), Failure> {
    // SAFETY: the caller gives the address of a control region that stays for the call, and makes
    // as many of them as the header says.
    unsafe { run_noted::<D, RING>(device, control_address, chip, &mut Noted::new()) }
}

/// What a thread has to leave in order, noted outside its run so that [`poison`] finds it.
#[derive(Debug, Default)]
pub struct Noted<const RING: usize> {
    /// The thread's index, as soon as it has one.
    pub thread: Option<u32>,
    state: RecordState<RING>,
}

impl<const RING: usize> Noted<RING> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            thread: None,
            state: RecordState::new(),
        }
    }
}

/// As [`run`], with a place for what [`poison`] needs.
///
/// # Errors
///
/// As for [`run`].
///
/// # Safety
///
/// - As for [`run`].
pub unsafe fn run_noted<D: Device, const RING: usize>(
    device: &D,
    control_address: u64,
    chip: Chip,
    noted: &mut Noted<RING>,
) -> Result<(), Failure> {
    let ring_size = u32::try_from(RING).expect("a ring has at most 16 slots");
    // SAFETY: the caller gives the address of a control region that stays for the call.
    let control = match unsafe { Control::attach(device, control_address, chip, ring_size) } {
        Ok(control) => control,
        Err(failure) => {
            // SAFETY: the caller gives the address of a control region that stays for the call.
            unsafe { refuse(device, control_address, chip, &failure) };
            return Err(failure);
        }
    };
    let shared = Shared::attach(&control)?;
    let thread = shared.enter();
    if thread >= control.header().thread_count {
        return Err(DeviceError::Internal.into());
    }
    noted.thread = Some(thread);
    let recorder = match Recorder::attach(&control, thread, &mut noted.state) {
        Ok(recorder) => recorder,
        Err(failure) => {
            shared.fail(failure.error);
            return Err(failure);
        }
    };
    drive(&control, &shared, recorder)
}

/// Says that a thread has died of a bug of its own: to the host in its status line, which stays in
/// the phase it was in, and to the other threads of the run, so that they stop. Puts the switches of its cores'
/// counters back first.
///
/// # Safety
///
/// - As for [`Control::attach`]; `noted` is what [`run_noted`] was given by the thread that died.
pub unsafe fn poison<D: Device, const RING: usize>(
    device: &D,
    control_address: u64,
    chip: Chip,
    noted: &mut Noted<RING>,
) {
    noted.state.switch_counters_back(device, chip);
    // SAFETY: the caller gives the address of a control region that stays for the call.
    let Some(control) = (unsafe { Control::refused(device, control_address, chip) }) else {
        return;
    };
    if let Ok(shared) = Shared::attach(&control) {
        shared.fail(DeviceError::Internal);
    }
    if let Some(thread) = noted.thread {
        control.break_off(thread);
    }
}

/// One thread's run from the handshake to the exit of its cores.
fn drive<D: Device, const RING: usize>(
    control: &Control<'_, D>,
    shared: &Shared<'_>,
    mut recorder: Recorder<'_, D, RING>,
) -> Result<(), Failure> {
    recorder.status().enter(Phase::Attach);
    let graph = match Graph::attach(control) {
        Ok(graph) => graph,
        Err(failure) => {
            shared.fail(failure.error);
            recorder.status().fail(&failure);
            return Err(failure);
        }
    };
    let mut executor = Executor::new(recorder, shared, graph);
    match executor.execute() {
        Ok(()) => Ok(()),
        Err(failure) => Err(executor.abandon(failure)),
    }
}

/// Writes a status line for a header that was refused, where it can be trusted so far.
///
/// # Safety
///
/// - As for [`run`].
unsafe fn refuse<D: Device>(device: &D, control_address: u64, chip: Chip, failure: &Failure) {
    // SAFETY: the caller gives the address of a control region that stays for the call.
    let Some(control) = (unsafe { Control::refused(device, control_address, chip) }) else {
        return;
    };
    if let Ok(shared) = Shared::attach(&control) {
        shared.fail(failure.error);
        control.refuse(shared.enter(), failure);
    }
}
