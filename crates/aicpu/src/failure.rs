//! Why an AICPU thread leaves a run early.

use lanescope_abi::control::{AbiField, DeviceError};

/// A failure with what the status line says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .error.text())]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong.
    pub error: DeviceError,
    /// The core it is about, else `u32::MAX`.
    pub core: u32,
    /// The token it is about, else 0.
    pub token: u32,
    /// `DATA_MAIN_BASE` of that core as last written, else 0.
    pub data_main_base: u32,
    /// `COND` of that core as last read, else 0.
    pub cond: u32,
    /// The header field that differs, for [`DeviceError::AbiMismatch`].
    pub field: AbiField,
    /// The limit that ran out in ticks, or the device's value of the field.
    pub detail: u64,
}

impl Failure {
    /// A failure that is about no core.
    #[must_use]
    pub const fn new(error: DeviceError) -> Self {
        Self {
            error,
            core: u32::MAX,
            token: 0,
            data_main_base: 0,
            cond: 0,
            field: AbiField::None,
            detail: 0,
        }
    }

    /// A header field that differs from what this program was built with.
    #[must_use]
    pub const fn mismatch(field: AbiField, device: u64) -> Self {
        let mut failure = Self::new(DeviceError::AbiMismatch);
        failure.field = field;
        failure.detail = device;
        failure
    }

    /// The same failure, about `core`.
    #[must_use]
    pub const fn on_core(mut self, core: u32) -> Self {
        self.core = core;
        self
    }

    /// The same failure, with the limit that ran out.
    #[must_use]
    pub const fn after(mut self, limit_ticks: u64) -> Self {
        self.detail = limit_ticks;
        self
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::new(error)
    }
}
