//! The record API for schedulers in C and C++.
//!
//! The same as [`lanescope_aicpu::record`], with the caller's storage behind an opaque pointer. No
//! panic leaves it: a bug of ours is [`DeviceError::Internal`].
//!
//! # Where it sits
//!
//! Here is what every scheduler calls; what the other collectors need of it is in [`collectors`], and lanes
//! for kinds of one's own are in [`own_lane`].

pub mod collectors;
pub mod own_lane;

use crate::device::{ProgramDevice, device};
use crate::{CHIP, RING, RING_SIZE};
use lanescope_abi::control::{DeviceError, Phase};
use lanescope_aicpu::record::{Finished, RecordState, Task};
use lanescope_aicpu::{Control, Failure, record};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Room for tags that a commit may need: as many tokens as can be in flight on a core.
pub const RECORD_MAX_TAGS: u32 = 16;

/// Alignment of the storage of a recorder.
pub const RECORD_ALIGN: u64 = 64;

const _: () = assert!(RING_SIZE <= RECORD_MAX_TAGS);
const _: () = assert!(align_of::<RecordStorage>() as u64 == RECORD_ALIGN);

/// The recorder of one AICPU thread in one run, in the caller's storage.
///
/// Later fields borrow from earlier ones, which stay where they are.
#[derive(Debug)]
#[repr(align(64))]
pub struct RecordStorage {
    device: ProgramDevice,
    control: MaybeUninit<Control<'static, ProgramDevice>>,
    state: RecordState<RING>,
    recorder: MaybeUninit<record::Recorder<'static, ProgramDevice, RING>>,
}

/// What a scheduler says of its failure in the thread's status line.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RecordFailure {
    /// A `lanescope_device_error`.
    pub error: u32,
    /// The core it is about, else `UINT32_MAX`.
    pub core: u32,
    /// The token it is about, else 0.
    pub token: u32,
    /// `DATA_MAIN_BASE` of that core as last written, else 0.
    pub data_main_base: u32,
    /// `COND` of that core as last read, else 0.
    pub cond: u32,
    /// Written as 0.
    pub reserved: u32,
    /// The limit that ran out, in ticks, else 0.
    pub limit_ticks: u64,
}

/// Bytes of storage that a recorder needs, aligned to `LANESCOPE_RECORD_ALIGN`.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_record_bytes() -> u64 {
    size_of::<RecordStorage>() as u64
}

/// Attaches AICPU thread `thread` to the control region at `control_address`: checks both headers,
/// finds the thread's cores and lanes, and fills each core's order line but for `ready_run` and
/// `registers_run`. Once a thread and run, before anything else, by that thread. The recorder lives in
/// `storage` and needs no release.
///
/// Returns 0; `BAD_LAYOUT`, `ABI_MISMATCH` or `CORRUPT_QUEUE` when the regions are not what this program
/// was built for, which the status line says already; `INTERNAL` for a thread that the launch does not
/// have, or storage that is null, too small or not aligned.
///
/// # Safety
///
/// - `storage` is valid for `storage_bytes` bytes for the whole run, `recorder` for one pointer.
/// - `control_address` is a control region that the host keeps for the whole run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_attach(
    control_address: u64,
    thread: u32,
    storage: *mut u8,
    storage_bytes: u64,
    recorder: *mut *mut RecordStorage,
) -> i32 {
    guard(|| {
        let place = storage.cast::<RecordStorage>();
        let is_usable = !recorder.is_null()
            && !place.is_null()
            && place.is_aligned()
            && storage_bytes >= lanescope_record_bytes();
        let device = device().filter(|_| is_usable);
        let device = device.ok_or(DeviceError::Internal)?;
        // SAFETY: the storage is large and aligned enough, and the caller lends it for the run.
        unsafe { attach(place, device, control_address, thread) }?;
        // SAFETY: not null, and the caller says it is valid.
        unsafe { recorder.write(place) };
        Ok(())
    })
}

/// # Safety
///
/// - `place` is valid for a [`RecordStorage`] for the whole run; the rest as the entry demands.
unsafe fn attach(
    place: *mut RecordStorage,
    device: ProgramDevice,
    control_address: u64,
    thread: u32,
) -> Result<(), Failure> {
    let storage = RecordStorage {
        device,
        control: MaybeUninit::uninit(),
        state: RecordState::new(),
        recorder: MaybeUninit::uninit(),
    };
    // SAFETY: `place` is valid for a recorder.
    unsafe { place.write(storage) };
    // Each field is borrowed for itself, so that later borrows of one leave the others alone. They
    // are lent for the run, which is as long as anything borrows from them.
    // SAFETY: just written, and nobody writes it again.
    let device: &'static ProgramDevice = unsafe { &(*place).device };
    // SAFETY: just written, and borrowed here alone.
    let control: &'static mut MaybeUninit<_> = unsafe { &mut (*place).control };
    // SAFETY: just written, and borrowed here alone.
    let state: &'static mut RecordState<RING> = unsafe { &mut (*place).state };
    // SAFETY: just written, and borrowed here until the recorder is given out.
    let recorder = unsafe { &mut (*place).recorder };
    // SAFETY: the caller gives the address of a control region that stays for the run.
    let attached = unsafe { Control::attach(device, control_address, CHIP, RING_SIZE) }?;
    let attached = record::Recorder::attach(control.write(attached), thread, state)?;
    recorder.write(attached);
    Ok(())
}

/// Enters a phase (a `lanescope_phase`) in the thread's status line.
///
/// Returns 0; `INTERNAL` for a number that is no phase, or a null recorder, as every function does.
///
/// # Safety
///
/// - `recorder` is null or attached, and no other thread uses it now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_enter(recorder: *mut RecordStorage, phase: u32) -> i32 {
    with(recorder, |recorder| {
        let phase = Phase::from_raw(phase).ok_or(DeviceError::Internal)?;
        recorder.status().enter(phase);
        Ok(())
    })
}

/// The token that the next dispatch to `core` gets; its payload goes to slot `token % ring_size`.
///
/// Returns 0; `INTERNAL` for a core that is not the thread's, or that has `issue_depth` tokens in flight.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `token` is null or valid for one word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_next_token(
    recorder: *mut RecordStorage,
    core: u32,
    token: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        let next = recorder.next_token(core)?;
        // SAFETY: the caller gives null or a place for a token.
        unsafe { put(token, next.raw()) }
    })
}

/// Notes that a task goes to `core` and gives its token. Call it when the payload stands and a store
/// barrier has passed, right before the token is written to `DATA_MAIN_BASE`.
///
/// Returns 0; `INTERNAL` as `lanescope_record_next_token`.
///
/// # Safety
///
/// - As for `lanescope_record_next_token`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_dispatched(
    recorder: *mut RecordStorage,
    core: u32,
    task_id: u64,
    func_id: u32,
    tag: u32,
    token: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        let task = Task {
            task_id,
            func_id,
            tag,
        };
        let dispatched = recorder.dispatched(core, task)?;
        // SAFETY: the caller gives null or a place for a token.
        unsafe { put(token, dispatched.raw()) }
    })
}

/// Commits every token of `core` that `cond`, as just read, proves finished, and gives the tags of
/// their tasks, oldest first. It may wait for a buffer, at most the lane's limit.
///
/// Returns 0, also when nothing has finished; `BAD_COND` when the core cannot have said that;
/// `CORRUPT_QUEUE`; `INTERNAL` for a core that is not the thread's.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `tags` is valid for `LANESCOPE_RECORD_MAX_TAGS` words and
///   `count` for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_commit(
    recorder: *mut RecordStorage,
    core: u32,
    cond: u32,
    tags: *mut u32,
    count: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        let finished = recorder.commit(core, cond)?;
        // SAFETY: the caller gives null or places for a count and for as many tags as are in flight.
        unsafe { put_tags(&finished, tags, count) }
    })
}

/// Commits what `core` has still finished before an EXIT that cut the run short; call it when COND
/// says that the core has left.
///
/// Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a core that is not the thread's.
///
/// # Safety
///
/// - As for `lanescope_record_commit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_commit_after_exit(
    recorder: *mut RecordStorage,
    core: u32,
    tags: *mut u32,
    count: *mut u32,
) -> i32 {
    with(recorder, |recorder| {
        let finished = recorder.commit_after_exit(core)?;
        // SAFETY: the caller gives null or places for a count and for as many tags as are in flight.
        unsafe { put_tags(&finished, tags, count) }
    })
}

/// Programs the hardware counters of `core`, which has answered that it is `physical_core`, and switches
/// them on; nothing while they are off in this run. Call it before `registers_run` is written.
///
/// Where the AICPU reads the counters, `lanescope_record_commit` does, and the core gets its next token
/// only after it: such a launch has `issue_depth` 1.
///
/// Returns 0; `BAD_ANSWER` when the host knows no counters of such a physical core; `INTERNAL` for a core
/// that is not the thread's.
///
/// # Safety
///
/// - As for `lanescope_record_enter`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_open_counters(
    recorder: *mut RecordStorage,
    core: u32,
    physical_core: u32,
) -> i32 {
    with(recorder, |recorder| {
        recorder.open_counters(core, physical_core)
    })
}

/// Puts the switches of all cores' counters back: when the cores have left, and before any error return.
/// Nothing while they are off, and nothing the second time.
///
/// Returns 0.
///
/// # Safety
///
/// - As for `lanescope_record_enter`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_close_counters(recorder: *mut RecordStorage) -> i32 {
    with(recorder, |recorder| {
        recorder.close_counters();
        Ok(())
    })
}

/// Hands over what is left in the buffers of all lanes: once nothing is in flight and the last phase is
/// recorded, and before any error return. A tensor that is under way is broken off and leaves nothing.
///
/// Returns 0; `CORRUPT_QUEUE`.
///
/// # Safety
///
/// - As for `lanescope_record_enter`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_flush(recorder: *mut RecordStorage) -> i32 {
    with(recorder, Attached::flush)
}

/// Says in the status line why the thread leaves; the first failure stays.
///
/// Returns 0; `INTERNAL` for a null failure or an unknown error number.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `failure` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_fail(
    recorder: *mut RecordStorage,
    failure: *const RecordFailure,
) -> i32 {
    with(recorder, |recorder| {
        // SAFETY: the caller gives null or a failure that nobody changes during the call.
        let said = unsafe { failure.as_ref() }.ok_or(DeviceError::Internal)?;
        let error = DeviceError::from_raw(said.error).ok_or(DeviceError::Internal)?;
        let mut failure = Failure::new(error).after(said.limit_ticks);
        failure.core = said.core;
        failure.token = said.token;
        failure.data_main_base = said.data_main_base;
        failure.cond = said.cond;
        recorder.status().fail(&failure);
        Ok(())
    })
}

/// Leaves the run: the status line says done, or keeps the failure and the phase it happened in. The last
/// call of a thread.
///
/// Returns 0.
///
/// # Safety
///
/// - As for `lanescope_record_enter`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_record_leave(recorder: *mut RecordStorage) -> i32 {
    with(recorder, |recorder| {
        recorder.status().leave();
        Ok(())
    })
}

type Attached = record::Recorder<'static, ProgramDevice, RING>;

fn with(
    recorder: *mut RecordStorage,
    step: impl FnOnce(&mut Attached) -> Result<(), Failure>,
) -> i32 {
    guard(|| step(recorder_of(recorder)?))
}

fn recorder_of<'a>(recorder: *mut RecordStorage) -> Result<&'a mut Attached, Failure> {
    if recorder.is_null() {
        return Err(DeviceError::Internal.into());
    }
    // SAFETY: a recorder that `lanescope_record_attach` gave out and nobody else uses now; what
    // it borrows is in other fields.
    let recorder = unsafe { &mut (*recorder).recorder };
    // SAFETY: a recorder is given out only when this field was written.
    Ok(unsafe { recorder.assume_init_mut() })
}

fn guard(step: impl FnOnce() -> Result<(), Failure>) -> i32 {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(())) => DeviceError::None as i32,
        Ok(Err(failure)) => failure.error as i32,
        Err(_) => DeviceError::Internal as i32,
    }
}

/// # Safety
///
/// - `to` is null or valid for one word.
unsafe fn put(to: *mut u32, value: u32) -> Result<(), Failure> {
    if to.is_null() {
        return Err(DeviceError::Internal.into());
    }
    // SAFETY: not null, so valid.
    unsafe { to.write(value) };
    Ok(())
}

/// # Safety
///
/// - `tags` is null or valid for as many words as can be in flight, `count` is null or valid.
unsafe fn put_tags(
    finished: &Finished<RING>,
    tags: *mut u32,
    count: *mut u32,
) -> Result<(), Failure> {
    if tags.is_null() {
        return Err(DeviceError::Internal.into());
    }
    // SAFETY: not null, so valid for the tags, of which there are at most as many as in flight.
    unsafe { tags.copy_from_nonoverlapping(finished.as_ptr(), finished.len()) };
    let length = u32::try_from(finished.len()).expect("at most 16 tokens are in flight");
    // SAFETY: the caller gives null or a place for a count.
    unsafe { put(count, length) }
}
