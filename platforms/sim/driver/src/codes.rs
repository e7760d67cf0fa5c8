//! The codes a call can return, and a refusal: a code with its reason.

use std::fmt::Display;

pub(crate) const OK: i32 = 0;

pub(crate) const REPEAT_INITIALIZE: i32 = 100_002;
pub(crate) const REPEAT_FINALIZE: i32 = 100_037;
pub(crate) const UNINITIALIZE: i32 = 100_001;
pub(crate) const PARAM_INVALID: i32 = 107_000;
pub(crate) const INVALID_DEVICE: i32 = 107_001;
pub(crate) const CONTEXT_NULL: i32 = 107_002;
pub(crate) const STREAM_CONTEXT: i32 = 107_003;
pub(crate) const INVALID_HANDLE: i32 = 107_017;
pub(crate) const NOT_SUPPORTED: i32 = 207_000;
pub(crate) const MEMORY_ALLOCATION: i32 = 207_001;
pub(crate) const INTERNAL: i32 = 507_000;
pub(crate) const STREAM_NOT_COMPLETE: i32 = 507_004;
pub(crate) const CONTEXT_RELEASED: i32 = 507_007;
pub(crate) const KERNEL_LOOKUP: i32 = 507_027;
pub(crate) const DEVICE_SETUP: i32 = 507_033;
pub(crate) const STREAM_SYNC_TIMEOUT: i32 = 507_046;
pub(crate) const DRIVER_INTERNAL: i32 = 507_899;
pub(crate) const CHANNEL_CLOSED: i32 = 507_901;

/// What `rtGetC2cCtrlAddr` returns on a chip without that area: an inner code, not translated.
pub(crate) const NO_C2C_AREA: i32 = 0x0711_000D;

/// Codes of the `hal*` calls; they are passed on as they are.
pub(crate) mod hal {
    pub(crate) const INVALID_DEVICE: i32 = 2;
    pub(crate) const INVALID_VALUE: i32 = 3;
    pub(crate) const INVALID_HANDLE: i32 = 4;
    pub(crate) const OUT_OF_MEMORY: i32 = 6;
    pub(crate) const INNER_ERROR: i32 = 7;
    pub(crate) const PARA_ERROR: i32 = 8;
    pub(crate) const NOT_EXIST: i32 = 11;
    pub(crate) const REPEATED: i32 = 12;
    pub(crate) const PROCESS_EXIT: i32 = 42;
    pub(crate) const NO_PROCESS: i32 = 62;
    pub(crate) const NOT_SUPPORTED: i32 = 0xfffe;
}

/// Why a call did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refusal {
    /// What the call returns.
    pub(crate) code: i32,
    /// What `aclGetRecentErrMsg` says.
    pub(crate) text: String,
}

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

/// A refusal with `code` and the reason.
pub(crate) fn refuse(code: i32, text: impl Display) -> Refusal {
    Refusal {
        code,
        text: text.to_string(),
    }
}

/// `Ok` when `holds`, else a refusal.
pub(crate) fn require(holds: bool, code: i32, text: impl Display) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(refuse(code, text))
    }
}
