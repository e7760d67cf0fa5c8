//! Phases and tensors for schedulers and orchestrators in C and C++.

use super::{RecordStorage, put, with};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{AwaitedWord, PhaseKind, Stage, TaskTensor, Token};
use lanescope_aicpu::Failure;
use lanescope_aicpu::record::{Copied, Phase, Task, TensorOwner};

/// Phases of a scheduler are recorded: from swimlane level 3 on.
pub const RECORD_PHASES: u32 = 1;

/// Phases of an orchestrator are recorded: from swimlane level 4 on.
pub const RECORD_ORCHESTRATOR: u32 = 2;

/// Tensors are recorded: those that `tensors` of the control header lists.
pub const RECORD_TENSORS: u32 = 4;

/// One stretch of what an AICPU thread did.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RecordStretch {
    /// When it began, in ticks of the device.
    pub begin_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// The task an orchestrator submits, else `UINT64_MAX`.
    pub task_id: u64,
    /// What it was: a `lanescope_phase_kind`.
    pub kind: u32,
    /// The scheduler's round in which it began; of an orchestrator, the submission, from 0.
    pub round: u32,
    /// Tasks completed or dispatched in it; of any other stretch, its rounds.
    pub tasks: u32,
    /// Looks at a ready queue that found a task, since the last stretch that counts looks.
    pub hits: u32,
    /// Looks that found none.
    pub misses: u32,
    /// Written as 0.
    pub reserved: u32,
}

/// Whose tensor it is.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RecordOwner {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function it runs.
    pub func_id: u32,
    /// Its core, which belongs to the thread.
    pub core: u32,
    /// Its token on that core: what `lanescope_record_next_token` says before it is dispatched, and what
    /// `lanescope_record_dispatched` said after it has finished.
    pub token: u32,
    /// Written as 0.
    pub reserved: u32,
}

/// How far the copy of a tensor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RecordCopied {
    /// Nothing was copied, for lack of room; to be tried again, until a time at the latest.
    Stands = 0,
    /// A piece.
    Piece = 1,
    /// All of it, or it was dropped and counted: the tensor is done.
    Whole = 2,
}

/// What is recorded in this run beside tasks: the sum of `LANESCOPE_RECORD_PHASES`,
/// `LANESCOPE_RECORD_ORCHESTRATOR` and `LANESCOPE_RECORD_TENSORS`, as far as they are on. The same for the
/// whole run, so ask once; who records no phases need not read the clock for them.
///
/// Returns 0; `INTERNAL` when a pointer is null.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `collected` is null or valid for one word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_collected(
    recorder: *mut RecordStorage,
    collected: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        let bits = [
            (recorder.records_phases(), RECORD_PHASES),
            (recorder.records_orchestrator(), RECORD_ORCHESTRATOR),
            (recorder.records_tensors(), RECORD_TENSORS),
        ];
        let on = bits.iter().filter(|(is_on, _)| *is_on);
        // SAFETY: the caller gives null or a place for a word.
        unsafe { put(collected, on.map(|(_, bit)| bit).sum()) }
    })
}

/// Says that the scheduler's round `round` begins. A wait for a buffer that a commit takes is recorded by
/// itself, as `LANESCOPE_PHASE_KIND_BLOCKED`, with the round that was entered last.
///
/// Returns 0.
///
/// # Safety
///
/// - As for `lanescope_record_enter`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_enter_round(
    recorder: *mut RecordStorage,
    round: u32,
) -> i32 {
    with(recorder, |recorder| {
        recorder.enter_round(round);
        Ok(())
    })
}

/// Records a stretch of what the thread did, when it is over: a scheduler's from swimlane level 3 on, an
/// orchestrator's at level 4; below that it does nothing and counts nothing. Stretches of a thread follow
/// one another and do not overlap; idling is one stretch until something else begins. An orchestrator on
/// a thread of its own attaches a recorder as that thread, with or without cores.
///
/// It may wait for a buffer, at most the lane's limit; a stretch for which there is none then is dropped
/// and counted.
///
/// Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null stretch, a kind that is none, or an end before the
/// beginning.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `stretch` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_phase(
    recorder: *mut RecordStorage,
    stretch: *const RecordStretch,
) -> i32 {
    with(recorder, |recorder| {
        // SAFETY: the caller gives null or a stretch that nobody changes during the call.
        let said = unsafe { given(stretch) }?;
        let kind = u16::try_from(said.kind).ok().and_then(PhaseKind::from_raw);
        let kind = kind.filter(|_| said.begin_ticks <= said.end_ticks);
        recorder.phase(&Phase {
            kind: kind.ok_or(DeviceError::Internal)?,
            begin_ticks: said.begin_ticks,
            end_ticks: said.end_ticks,
            round: said.round,
            tasks: said.tasks,
            hits: said.hits,
            misses: said.misses,
            task_id: said.task_id,
        })
    })
}

/// Begins with a tensor of a task at a stage (a `lanescope_stage`): before its task is dispatched, or after
/// it was committed and before any successor is released. The task's memory stays as it is until
/// `lanescope_record_copy_tensor` has said `WHOLE`; there is no other end. One tensor at a time a thread.
///
/// A tensor that the host lists is an item of `tensors` of the control header, whose lines the caller has
/// invalidated; it is to be recorded at the stages of its `stages`, once each. What is listed and never
/// begun is missing in the run's verdict.
///
/// Returns 0; `BAD_GRAPH` for a tensor of no known type, or one that reaches outside its memory;
/// `INTERNAL` for a null or misaligned pointer, a number that is no stage or no token, a core that is not
/// the thread's, a tensor that is still under way, or when tensors are not recorded in this run.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `owner` and `tensor` are null or valid.
/// - The memory that `tensor` names is device memory, until the tensor is whole.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_begin_tensor(
    recorder: *mut RecordStorage,
    owner: *const RecordOwner,
    tensor: *const TaskTensor,
    stage: u32,
) -> i32 {
    with(recorder, |recorder| {
        // SAFETY: the caller gives null or an owner that nobody changes during the call.
        let owner = unsafe { given(owner) }?;
        // SAFETY: the caller gives null or a tensor that nobody changes during the call.
        let tensor = unsafe { given(tensor) }?;
        let stage = u8::try_from(stage).ok().and_then(Stage::from_raw);
        let owner = TensorOwner {
            core: owner.core,
            token: Token::new(owner.token).ok_or(DeviceError::Internal)?,
            task: Task {
                task_id: owner.task_id,
                func_id: owner.func_id,
                tag: 0,
            },
        };
        recorder.begin_tensor(&owner, tensor, stage.ok_or(DeviceError::Internal)?)
    })
}

/// Copies the next piece of the tensor that is under way, at most `budget_bytes`, from which it takes off
/// what that cost, and says in `copied` (a `lanescope_record_copied`) how far it has come. Begin a round
/// with `tensor_piece_bytes` of the control header as the budget, and look at the cores again when it is 0:
/// then no core waits longer than that takes, however many tensors it is.
///
/// `until_ticks` is written with `STANDS` alone: at that time the next call drops the tensor, or cuts it
/// where the policy is `truncate`. Wait with `lanescope_record_awaited_room` among the awaited words.
///
/// Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null pointer, a budget of 0, or when no tensor is under way.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `budget_bytes`, `copied` and `until_ticks` are null or valid for one
///   word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_copy_tensor(
    recorder: *mut RecordStorage,
    budget_bytes: *mut u64,
    copied: *mut u32,
    until_ticks: *mut u64,
) -> i32 {
    with(recorder, |recorder| {
        // SAFETY: the caller gives null or a word that nobody else uses during the call.
        let budget_bytes = unsafe { budget_bytes.as_mut() };
        let budget_bytes = budget_bytes.filter(|bytes| **bytes != 0);
        let budget_bytes = budget_bytes.ok_or(DeviceError::Internal)?;
        if copied.is_null() || until_ticks.is_null() {
            return Err(DeviceError::Internal.into());
        }
        let come = match recorder.copy_tensor(budget_bytes)? {
            Copied::Stands { until_ticks: until } => {
                // SAFETY: not null, so valid for a word.
                unsafe { until_ticks.write(until) };
                RecordCopied::Stands
            }
            Copied::Piece => RecordCopied::Piece,
            Copied::Whole => RecordCopied::Whole,
        };
        // SAFETY: not null, so valid for a word.
        unsafe { put(copied, come as u32) }
    })
}

/// The word that ends the wait of a tensor that stands, for `relax`; `is_there` says whether a tensor
/// stands, else the word is left as it is.
///
/// Returns 0; `INTERNAL` when a pointer is null.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `word` and `is_there` are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_awaited_room(
    recorder: *mut RecordStorage,
    word: *mut AwaitedWord,
    is_there: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        if word.is_null() {
            return Err(DeviceError::Internal.into());
        }
        let awaited = recorder.awaited_room();
        if let Some(awaited) = awaited {
            // SAFETY: not null, so valid for a word.
            unsafe { word.write(awaited) };
        }
        // SAFETY: the caller gives null or a place for a word.
        unsafe { put(is_there, u32::from(awaited.is_some())) }
    })
}

/// What a caller's pointer points to.
///
/// # Safety
///
/// - `pointer` is null or valid, and nobody changes what is there while it is borrowed.
unsafe fn given<'a, T>(pointer: *const T) -> Result<&'a T, Failure> {
    let usable = pointer.is_aligned().then_some(pointer);
    // SAFETY: aligned; the caller gives null or what is valid and stays.
    let given = usable.and_then(|pointer| unsafe { pointer.as_ref() });
    Ok(given.ok_or(DeviceError::Internal)?)
}
