//! Lanes of kinds of one's own, beside those of a recorder.

use super::capture::Capture;
use super::lane::Lane;
use crate::{Control, Failure};
use core::marker::PhantomData;
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Device, Kind, LINE_BYTES, Record};

/// The lane of one AICPU thread for records `R`, of a kind that this crate knows nothing of.
///
/// It needs no recorder, and several may be open beside one another: a collector is a record type, a lane
/// and a consumer.
#[derive(Debug)]
pub struct OwnLane<'d, D, R> {
    lane: ByteLane<'d, D>,
    record: PhantomData<R>,
}

impl<'d, D: Device, R: Record> OwnLane<'d, D, R> {
    /// Attaches to the lane of AICPU thread `thread`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadLayout`] when there is no capture region or no such lane in it;
    /// [`DeviceError::AbiMismatch`] or [`DeviceError::CorruptQueue`].
    pub fn attach(control: &Control<'d, D>, thread: u32) -> Result<Self, Failure> {
        const { assert!(R::BYTES as usize == size_of::<R>()) };
        Ok(Self {
            lane: ByteLane::attach(control, thread, R::KIND, R::BYTES)?,
            record: PhantomData,
        })
    }

    /// Commits a record that is about `core`: one count in `total`, and then exactly one fate. Whether it
    /// went into a buffer; it is dropped, and counted, by the lane's policy.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`]; [`DeviceError::Internal`] for a core that the launch does not have.
    pub fn commit(&mut self, core: u32, record: &R) -> Result<bool, Failure> {
        self.lane.commit(core, record.as_bytes())
    }

    /// Hands over what is left in the buffer: before the thread leaves the run.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.lane.flush()
    }
}

/// As [`OwnLane`], where kind and size are numbers: for records of another language.
#[derive(Debug)]
pub struct ByteLane<'d, D> {
    lane: Lane<'d, D, ()>,
    core_count: u32,
    record_bytes: u32,
}

impl<'d, D: Device> ByteLane<'d, D> {
    /// Attaches to the lane of AICPU thread `thread` for records of `record_bytes`, a multiple of 64.
    ///
    /// # Errors
    ///
    /// As [`OwnLane::attach`].
    pub fn attach(
        control: &Control<'d, D>,
        thread: u32,
        kind: Kind,
        record_bytes: u32,
    ) -> Result<Self, Failure> {
        if thread >= control.header.thread_count {
            return Err(DeviceError::Internal.into());
        }
        let capture = Capture::attach(control)?.ok_or(DeviceError::BadLayout)?;
        let found = capture.find_kind(kind, record_bytes, thread)?;
        let is_lines = record_bytes != 0 && u64::from(record_bytes).is_multiple_of(LINE_BYTES);
        let found = found.filter(|_| is_lines).ok_or(DeviceError::BadLayout)?;
        Ok(Self {
            lane: Lane::of_lines(&capture, &found)?,
            core_count: control.header.core_count,
            record_bytes,
        })
    }

    /// Bytes of a record.
    #[must_use]
    pub fn record_bytes(&self) -> u32 {
        self.record_bytes
    }

    /// As [`OwnLane::commit`].
    ///
    /// # Errors
    ///
    /// As there; [`DeviceError::Internal`] for a record of another length.
    pub fn commit(&mut self, core: u32, record: &[u8]) -> Result<bool, Failure> {
        if core >= self.core_count || record.len() != self.record_bytes as usize {
            return Err(DeviceError::Internal.into());
        }
        let mut counters = self.lane.counters(core);
        self.lane.attempt(&mut counters);
        Ok(self.lane.commit_lines(&mut counters, record)?)
    }

    /// As [`OwnLane::flush`].
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.lane.flush()?)
    }
}
