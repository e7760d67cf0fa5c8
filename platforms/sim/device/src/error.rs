//! What can go wrong in the device process, and the codes a failed task ends with.

/// AICPU task failed: also any return value of an entry other than 0.
pub const AICPU_EXCEPTION: i32 = 507_018;
/// AICPU task ran longer than the limit.
pub const AICPU_TIMEOUT: i32 = 507_017;
/// AICore task failed.
pub const AICORE_EXCEPTION: i32 = 507_015;
/// AICore task ran longer than the limit.
pub const AICORE_TIMEOUT: i32 = 507_014;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceProcessError {
    /// Device memory cannot be mapped.
    #[error("mapping {bytes} bytes of device memory at {base:#x}: {source}")]
    Map {
        /// The address asked for, 0 for any.
        base: u64,
        /// The length.
        bytes: u64,
        /// Why.
        source: rustix::io::Errno,
    },
    /// The socket does not start as it must.
    #[error("the first frame of the host is {found}, expected its greeting")]
    NoGreeting {
        /// What came instead.
        found: &'static str,
    },
    /// Reading or writing a frame failed.
    #[error(transparent)]
    Wire(#[from] lanescope_sim_wire::WireError),
    /// A setting that means nothing.
    #[error(transparent)]
    Setting(#[from] lanescope_sim_wire::SettingError),
    /// A range that a launch names is not device memory.
    #[error("{what} of {bytes} bytes at {address:#x} does not lie in device memory")]
    OutsideMemory {
        /// What it should hold.
        what: &'static str,
        /// Its address.
        address: u64,
        /// Its length.
        bytes: u64,
    },
    /// A program or kernel is not an image that can be loaded.
    #[error("{what}: {reason}")]
    NotAnImage {
        /// Which.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The dynamic loader refused an image, or it lacks a symbol.
    #[error("loading {what}: {source}")]
    Load {
        /// Which.
        what: String,
        /// Why.
        source: libloading::Error,
    },
    /// A program refused the device table.
    #[error("{what}: {symbol} returned {code}", symbol = lanescope_abi::launch::BIND_SYMBOL)]
    BindRefused {
        /// Which.
        what: String,
        /// What it returned.
        code: i32,
    },
    /// A system call on the way to a loaded image failed.
    #[error("keeping {what} for the loader: {source}")]
    Keep {
        /// Which image.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// A launch that cannot be done.
    #[error("{what}")]
    Launch {
        /// Why not.
        what: String,
    },
    /// There is no room for a coroutine's stack.
    #[error("stack for {agent}: {source}")]
    Stack {
        /// Whose.
        agent: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no thread.
    #[error("thread for {agent}: {source}")]
    Thread {
        /// Whose.
        agent: String,
        /// Why.
        source: std::io::Error,
    },
}
