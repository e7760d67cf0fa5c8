//! The words that all AICPU threads of a run own together.

use crate::region::Region;
use crate::{Control, Failure};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, Ordering};
use lanescope_abi::control::{DeviceError, SchedulerWords};
use lanescope_abi::{CoreType, Device};

/// [`SchedulerWords`] as atomics. The host writes them before launch only.
#[derive(Debug)]
pub(crate) struct Shared<'d> {
    pub(crate) ready_tail: [Word<'d>; 2],
    pub(crate) ready_head: [Word<'d>; 2],
    pub(crate) unfinished: Word<'d>,
    pub(crate) fault: Word<'d>,
    /// Pieces of tensors that were copied.
    pub(crate) copied: Word<'d>,
    entered: Word<'d>,
}

/// An atomic word and its device address, by which a wait names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'d> {
    pub(crate) value: &'d AtomicU32,
    pub(crate) address: u64,
}

impl<'d> Shared<'d> {
    pub(crate) fn attach<D: Device>(control: &Control<'d, D>) -> Result<Self, Failure> {
        let (region, section) = (control.region, &control.header.scheduler);
        if !region.holds::<SchedulerWords>(section, 1) {
            return Err(DeviceError::BadLayout.into());
        }
        if control.chip.aicpu_invalidates_host_lines {
            region.invalidate_range(section.offset_bytes, size_of::<SchedulerWords>() as u64);
        }
        let word = |field: usize| Word::at(&region, section.offset_bytes + field as u64);
        let by_type = |field: usize| CoreType::ALL.map(|kind| word(field + kind as usize * 64));
        Ok(Self {
            ready_tail: by_type(offset_of!(SchedulerWords, ready_tail)),
            ready_head: by_type(offset_of!(SchedulerWords, ready_head)),
            unfinished: word(offset_of!(SchedulerWords, unfinished)),
            fault: word(offset_of!(SchedulerWords, fault)),
            copied: word(offset_of!(SchedulerWords, copied)),
            entered: word(offset_of!(SchedulerWords, entered)),
        })
    }

    /// The index of the calling thread.
    pub(crate) fn enter(&self) -> u32 {
        self.entered.value.fetch_add(1, Ordering::Relaxed)
    }

    /// Tasks not finished yet.
    #[inline]
    pub(crate) fn unfinished(&self) -> u32 {
        self.unfinished.value.load(Ordering::Acquire)
    }

    /// Tells the other threads that this one has failed.
    pub(crate) fn fail(&self, error: DeviceError) {
        let none = DeviceError::None as u32;
        // An earlier failure stays.
        let _ = self.fault.value.compare_exchange(
            none,
            error as u32,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }

    /// Whether a thread has failed.
    #[inline]
    pub(crate) fn is_faulty(&self) -> bool {
        self.fault.value.load(Ordering::Acquire) != DeviceError::None as u32
    }
}

impl<'d> Word<'d> {
    fn at<D: Device>(region: &Region<'d, D>, offset: u64) -> Self {
        let pointer = region.pointer::<u32>(offset, 4);
        Self {
            // SAFETY: `pointer` is aligned and inside a region that lives for 'd; while a run lasts,
            // every access to the word is atomic.
            value: unsafe { AtomicU32::from_ptr(pointer) },
            address: region.address(offset),
        }
    }
}
