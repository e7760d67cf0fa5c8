//! Lanes of kinds that this project knows nothing of, for C and C++.

use super::{RecordStorage, guard, put, recorder_of};
use crate::device::ProgramDevice;
use lanescope_abi::Kind;
use lanescope_abi::control::DeviceError;
use lanescope_aicpu::Failure;
use lanescope_aicpu::record::ByteLane;

/// The lane of one AICPU thread for records of a kind of your own, in the caller's storage.
#[derive(Debug)]
#[repr(align(64))]
pub struct OwnLaneStorage {
    lane: ByteLane<'static, ProgramDevice>,
}

/// Bytes of storage that an own lane needs, aligned to `LANESCOPE_RECORD_ALIGN`.
#[unsafe(no_mangle)]
pub extern "C" fn lanescope_own_lane_bytes() -> u64 {
    size_of::<OwnLaneStorage>() as u64
}

/// Attaches to the lane of the recorder's thread for records of `record_bytes`, a multiple of 64, of a
/// `kind` from 256 to 4095, for which the host has a collector. Once a thread, run and kind, by that thread,
/// after `lanescope_record_attach`. The lane lives in `storage` and needs no release; only that thread uses
/// it.
///
/// Returns 0; `BAD_LAYOUT` when the host has no such lane in this run; `CORRUPT_QUEUE`; `INTERNAL` for a
/// kind that is not one's own, a null pointer, or storage that is too small or not aligned.
///
/// # Safety
///
/// - As for `lanescope_record_enter`; `storage` is null or valid for `storage_bytes` bytes for the whole
///   run, `lane` is null or valid for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_own_lane_attach(
    recorder: *mut RecordStorage,
    kind: u32,
    record_bytes: u32,
    storage: *mut u8,
    storage_bytes: u64,
    lane: *mut *mut OwnLaneStorage,
) -> i32 {
    guard(|| {
        let place = storage.cast::<OwnLaneStorage>();
        let is_usable = !lane.is_null()
            && !place.is_null()
            && place.is_aligned()
            && storage_bytes >= lanescope_own_lane_bytes();
        let kind = Kind::own(kind).filter(|_| is_usable);
        let kind = kind.ok_or(DeviceError::Internal)?;
        let recorder = recorder_of(recorder)?;
        let attached = ByteLane::attach(recorder.control(), recorder.thread(), kind, record_bytes)?;
        // SAFETY: large and aligned enough, and the caller lends it for the run.
        unsafe { place.write(OwnLaneStorage { lane: attached }) };
        // SAFETY: not null, and the caller says it is valid.
        unsafe { lane.write(place) };
        Ok(())
    })
}

/// Commits a record that is about `core`, or of the thread with core 0: one count in `total`, and then
/// exactly one fate. `is_placed` says whether it went into a buffer; if not it is dropped, and counted, by
/// the lane's policy. It may wait for a buffer, at most the lane's limit.
///
/// Returns 0, also for a record that is dropped; `CORRUPT_QUEUE`; `INTERNAL` for a null pointer or a core
/// that the launch does not have.
///
/// # Safety
///
/// - `lane` is null or attached, and no other thread uses it now.
/// - `record` is null or valid for `record_bytes` of the lane, `is_placed` null or valid for one word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_own_lane_commit(
    lane: *mut OwnLaneStorage,
    core: u32,
    record: *const u8,
    is_placed: *mut u32,
) -> i32 {
    guard(|| {
        // SAFETY: the caller gives null or an attached lane.
        let lane = unsafe { lane_of(lane) }?;
        if record.is_null() || is_placed.is_null() {
            return Err(DeviceError::Internal.into());
        }
        let bytes = lane.record_bytes() as usize;
        // SAFETY: not null, so valid for a record that nobody changes during the call.
        let record = unsafe { core::slice::from_raw_parts(record, bytes) };
        let placed = lane.commit(core, record)?;
        // SAFETY: not null, so valid for a word.
        unsafe { put(is_placed, u32::from(placed)) }
    })
}

/// Hands over what is left in the buffer: before the thread leaves the run, and before any error return.
///
/// Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null lane.
///
/// # Safety
///
/// - `lane` is null or attached, and no other thread uses it now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lanescope_own_lane_flush(lane: *mut OwnLaneStorage) -> i32 {
    guard(|| {
        // SAFETY: the caller gives null or an attached lane.
        unsafe { lane_of(lane) }?.flush()
    })
}

/// # Safety
///
/// - `lane` is null or attached, and nobody else uses it while it is borrowed.
unsafe fn lane_of<'a>(
    lane: *mut OwnLaneStorage,
) -> Result<&'a mut ByteLane<'static, ProgramDevice>, Failure> {
    // SAFETY: the caller gives null or what `lanescope_own_lane_attach` gave out.
    let storage = unsafe { lane.as_mut() };
    Ok(&mut storage.ok_or(DeviceError::Internal)?.lane)
}
