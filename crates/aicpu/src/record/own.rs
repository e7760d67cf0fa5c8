//! A lane of a kind of one's own, beside those of a recorder.

use super::capture::Capture;
use super::lane::Lane;
use crate::{Control, Failure};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Device, Record};

/// The lane of one AICPU thread for records `R`, of a kind that this crate knows nothing of.
///
/// It needs no recorder, and several may be open beside one another: a collector is a record type, a lane
/// and a consumer.
#[derive(Debug)]
pub struct OwnLane<'d, D, R> {
    lane: Lane<'d, D, R>,
    core_count: u32,
}

impl<'d, D: Device, R: Record> OwnLane<'d, D, R> {
    /// Attaches to the lane of AICPU thread `thread`.
    ///
    /// # Errors
    ///
    /// [`DeviceError::BadLayout`] when there is no capture region or no such lane in it;
    /// [`DeviceError::AbiMismatch`] or [`DeviceError::CorruptQueue`].
    pub fn attach(control: &Control<'d, D>, thread: u32) -> Result<Self, Failure> {
        if thread >= control.header.thread_count {
            return Err(DeviceError::Internal.into());
        }
        let capture = Capture::attach(control)?.ok_or(DeviceError::BadLayout)?;
        Ok(Self {
            lane: Lane::attach(&capture, thread)?,
            core_count: control.header.core_count,
        })
    }

    /// Commits a record that is about `core`: one count in `total`, and then exactly one fate. Whether it
    /// went into a buffer; it is dropped, and counted, by the lane's policy.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`]; [`DeviceError::Internal`] for a core that the launch does not have.
    pub fn commit(&mut self, core: u32, record: &R) -> Result<bool, Failure> {
        if core >= self.core_count {
            return Err(DeviceError::Internal.into());
        }
        let mut counters = self.lane.counters(core);
        Ok(self.lane.commit(&mut counters, record)?)
    }

    /// Hands over what is left in the buffer: before the thread leaves the run.
    ///
    /// # Errors
    ///
    /// [`DeviceError::CorruptQueue`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.lane.flush()?)
    }
}
