//! A lane: where one AICPU thread's records of one kind go.
//!
//! # Ordering
//!
//! Every attempt adds one to `total` first, then to exactly one of mismatched or dropped, or the record
//! goes into a buffer: record, then the count of records, each visible before the next.

use super::buffers::Buffers;
use super::capture::{Capture, Found};
use crate::Failure;
use crate::region::Region;
use core::marker::PhantomData;
use core::mem::offset_of;
use lanescope_abi::capture::{CommitCounters, DropReason};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Barrier, Device, Record, Section, is_mutant};

/// One lane of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Lane<'d, D, R> {
    pub(crate) region: Region<'d, D>,
    pub(crate) buffers: Buffers<'d, D>,
    counters: Section,
    /// The lane's first item of `counters`; one for each core follows.
    first_counters: u32,
    record: PhantomData<R>,
}

/// What one lane and core stand at, and where that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    offset: u64,
    pub(crate) total: u64,
    mismatched: u64,
    dropped: [u64; REASONS],
}

const REASONS: usize = 2;
const _: () = assert!(DropReason::NoBuffer as usize == 0 && DropReason::NoArena as usize == 1);

impl Counters {
    pub(crate) const NONE: Self = Self {
        offset: 0,
        total: 0,
        mismatched: 0,
        dropped: [0; REASONS],
    };
}

impl<'d, D: Device, R: Record> Lane<'d, D, R> {
    /// Finds the lane of `thread` and takes it up where its last run left it.
    pub(crate) fn attach(capture: &Capture<'d, D>, thread: u32) -> Result<Self, Failure> {
        let found = capture.find::<R>(thread)?;
        Self::open(capture, &found.ok_or(DeviceError::BadLayout)?)
    }

    /// Takes up a lane that was found.
    pub(crate) fn open(capture: &Capture<'d, D>, found: &Found) -> Result<Self, Failure> {
        const { assert!(R::BYTES as usize == size_of::<R>()) };
        const { assert!(size_of::<R>() != 0 && size_of::<R>().is_multiple_of(64)) };
        Self::of_lines(capture, found)
    }

    /// A whole attempt of a record that matches; whether it went into a buffer.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        counters: &mut Counters,
        record: &R,
    ) -> Result<bool, DeviceError> {
        self.attempt(counters);
        self.commit_counted(counters, record)
    }

    /// As [`Lane::commit`], of an attempt that was counted.
    #[inline]
    pub(crate) fn commit_counted(
        &mut self,
        counters: &mut Counters,
        record: &R,
    ) -> Result<bool, DeviceError> {
        self.commit_lines(counters, record.as_bytes())
    }
}

impl<'d, D: Device, R> Lane<'d, D, R> {
    /// Takes up a lane whose records are whole lines.
    pub(crate) fn of_lines(capture: &Capture<'d, D>, found: &Found) -> Result<Self, Failure> {
        let (region, header) = (capture.region, &capture.header);
        let buffers = Buffers::attach(
            region,
            found.config,
            found.policy,
            header.lane_devices.at(found.index),
            header.lane_hosts.at(found.index),
            capture.ticks_per_second,
        )?;
        Ok(Self {
            region,
            buffers,
            counters: header.counters,
            first_counters: found.index * header.core_count,
            record: PhantomData,
        })
    }

    /// What the counters of `core`, which the launch has, stand at.
    pub(crate) fn counters(&self, core: u32) -> Counters {
        let offset = self.counters.at(self.first_counters + core);
        if !is_mutant("counters-not-invalidated") {
            self.region.invalidate(offset);
        }
        let load = |field: usize| self.region.load64(offset + field as u64);
        Counters {
            offset,
            total: load(offset_of!(CommitCounters, total)),
            mismatched: load(offset_of!(CommitCounters, mismatched)),
            dropped: [load(NO_BUFFER), load(NO_ARENA)],
        }
    }

    /// Counts an attempt.
    #[inline]
    pub(crate) fn attempt(&self, counters: &mut Counters) {
        if is_mutant("total-left-out") {
            return;
        }
        counters.total += 1 + u64::from(is_mutant("total-twice"));
        let line = self.region.line(counters.offset);
        line.store64::<{ offset_of!(CommitCounters, total) }>(counters.total);
    }

    /// The fate of an attempt whose slot did not match.
    #[inline]
    pub(crate) fn mismatch(&self, counters: &mut Counters) {
        counters.mismatched += 1;
        let line = self.region.line(counters.offset);
        line.store64::<{ offset_of!(CommitCounters, mismatched) }>(counters.mismatched);
    }

    /// The fate of an attempt for which there was no room.
    #[inline]
    pub(crate) fn drop_newest(&self, counters: &mut Counters, reason: DropReason) {
        let dropped = &mut counters.dropped[reason as usize];
        *dropped += 1;
        let line = self.region.line(counters.offset);
        match reason {
            DropReason::NoBuffer => line.store64::<NO_BUFFER>(*dropped),
            DropReason::NoArena => line.store64::<NO_ARENA>(*dropped),
        }
    }

    /// Where the record of an attempt goes; `None` when it is dropped, and counted.
    #[inline]
    pub(crate) fn place(&mut self, counters: &mut Counters) -> Result<Option<u64>, DeviceError> {
        let place = self.buffers.place();
        if let Ok(Some(place)) = place {
            return Ok(Some(place));
        }
        self.drop_newest(counters, DropReason::NoBuffer);
        place
    }

    /// Counts the record whose words stand in their place.
    #[inline]
    pub(crate) fn placed(&mut self) -> Result<(), DeviceError> {
        if !is_mutant("record-unfenced") {
            self.region.barrier(Barrier::Store);
        }
        self.buffers.placed()
    }

    /// The record of an attempt that was counted, in whole lines; whether it went into a buffer.
    #[inline]
    pub(crate) fn commit_lines(
        &mut self,
        counters: &mut Counters,
        record: &[u8],
    ) -> Result<bool, DeviceError> {
        let Some(place) = self.place(counters)? else {
            return Ok(false);
        };
        let lines = record.chunks_exact(64);
        for (offset, line) in (place..).step_by(64).zip(lines) {
            let word = |at: usize| {
                let bytes = line[at * 8..][..8].try_into();
                u64::from_le_bytes(bytes.expect("eight bytes"))
            };
            self.region.line(offset).store(core::array::from_fn(word));
        }
        self.placed()?;
        Ok(true)
    }

    /// Hands over what is left; the counters are where they belong already.
    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        let result = self.buffers.publish();
        self.region.barrier(Barrier::Store);
        result
    }
}

const NO_BUFFER: usize = offset_of!(CommitCounters, dropped) + 8 * DropReason::NoBuffer as usize;
const NO_ARENA: usize = offset_of!(CommitCounters, dropped) + 8 * DropReason::NoArena as usize;
