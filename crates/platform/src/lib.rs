//! The trait layer: [`Platform`], [`Device`], [`DeviceMemory`], [`Mapping`]; names no backend.
//!
//! # Where it sits
//!
//! A backend implements these traits over the vendor driver; `profiling` and `runtime` use nothing
//! else. Control path only: nothing here is called once per record or per task.
//!
//! # Threads
//!
//! A [`Device`] may be shared between threads, but every thread other than the one that opened it
//! holds an [`Attachment`] while it uses the device, its memory or its mappings. One run at a time
//! has the cores: whoever launches holds a [`Turn`].
//!
//! # Errors
//!
//! One enum, [`PlatformError`]. Nothing leaks when a step fails: every owned type releases in `Drop`,
//! mappings before the memory behind them, memory before the device.

mod error;
mod mapping;
mod program;

pub use error::{PlatformError, Result};
#[cfg(loom)]
pub use mapping::ModelWords;
pub use mapping::{Mapping, MappingExt, Range};
pub use program::{check_programs, describe_program};

use lanescope_abi::{Chip, ChipInfo};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A fact about an opened device that shared code may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Mappings see the device's writes without [`Mapping::invalidate`].
    CoherentMapping,
    /// Programs are launched by name, from a file that our dispatcher stores on the device.
    LaunchByName,
    /// A device that failed can be used again in this process after a forced reset.
    ForcedReset,
    /// The driver takes settings by name, as the simulated one does.
    DriverSettings,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 4] = [
        Self::CoherentMapping,
        Self::LaunchByName,
        Self::ForcedReset,
        Self::DriverSettings,
    ];
}

/// A kind of chip and the way to reach it.
pub trait Platform: Send + Sync + fmt::Debug {
    /// `a2a3` or `a5`.
    fn name(&self) -> &'static str;

    /// The chip behind it.
    fn chip(&self) -> &'static ChipInfo;

    /// Loads the driver and opens a device.
    ///
    /// # Errors
    ///
    /// [`PlatformError::DriverNotFound`], [`PlatformError::SymbolsMissing`], or the driver's refusal.
    fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Device>>;
}

/// How to open a device.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Logical device id, as `ASCEND_RT_VISIBLE_DEVICES` numbers them.
    pub device: u32,
    /// Where to look for the driver before anywhere else.
    pub driver_dir: Option<PathBuf>,
    /// Settings for the driver; refused by a driver without [`Capability::DriverSettings`].
    pub driver_settings: Vec<(String, String)>,
    /// How programs are launched; by default the newest form the driver offers.
    pub launch_form: Option<LaunchForm>,
    /// After which time the driver itself ends an operation, 45 s by default; longer than the
    /// scheduler's limit, shorter than the limit of [`Device::synchronize`].
    pub op_limit: Option<Duration>,
}

/// The driver's own limit of an operation unless [`OpenOptions::op_limit`] says otherwise.
pub const DEFAULT_OP_LIMIT: Duration = Duration::from_secs(45);

/// The two ways the driver knows to launch an AICPU program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaunchForm {
    /// One call delivers the program and launches it.
    Classic,
    /// A dispatcher stores the program under a name, and later launches name it (CANN 8.5 and later).
    ByName,
}

/// What is known of an opened device.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// The chip.
    pub chip: Chip,
    /// The id the user gave.
    pub logical_id: u32,
    /// The id driver calls take.
    pub driver_id: u32,
    /// Usable clusters of one cube and two vector cores.
    pub clusters: u32,
    /// AICPU threads that can be launched.
    pub aicpu_threads: u32,
    /// How the AICPU program is launched.
    pub launch_form: LaunchForm,
    /// Where the driver was found, for `info` and error messages.
    pub driver: PathBuf,
}

/// A device address. Never dereferenced on the host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct DeviceAddress(pub u64);

impl DeviceAddress {
    /// The address `bytes` further on.
    #[must_use]
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl fmt::Debug for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device:{:#x}", self.0)
    }
}

/// Owned device memory, freed when dropped.
pub trait DeviceMemory: Send + Sync + fmt::Debug {
    /// Where it begins; 512-byte aligned, page-aligned from 4096 bytes on.
    fn address(&self) -> DeviceAddress;
    /// Usable bytes.
    fn bytes(&self) -> u64;
}

/// Binds the calling thread to the device until dropped; not `Send`.
#[must_use = "the thread is unbound when this is dropped"]
pub struct Attachment {
    release: Option<Box<dyn FnOnce()>>,
}

impl Attachment {
    /// An attachment that runs `release` when it is dropped.
    pub fn new(release: impl FnOnce() + 'static) -> Self {
        Self {
            release: Some(Box::new(release)),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

/// The right to run programs on a device, until dropped.
#[must_use = "the turn is given back when this is dropped"]
pub struct Turn {
    give_back: Option<Box<dyn FnOnce() + Send>>,
}

impl Turn {
    /// A turn that runs `give_back` when it is dropped.
    pub fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        Self {
            give_back: Some(Box::new(give_back)),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

/// The device programs, as bytes.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The AICPU program: a shared object.
    pub aicpu: Arc<[u8]>,
    /// The AICore program: a linked object, or a shared object for the simulator.
    pub aicore: Arc<[u8]>,
    /// Our dispatcher, for [`LaunchForm::ByName`].
    pub dispatcher: Option<Arc<[u8]>>,
}

/// One launch of both programs.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// Device address of the control region.
    pub control: DeviceAddress,
    /// Clusters of one cube and two vector cores.
    pub clusters: u32,
    /// AICPU threads.
    pub threads: u32,
}

/// The two streams of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Runs the AICPU program.
    Aicpu,
    /// Runs the AICore program.
    Aicore,
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aicpu => "AICPU",
            Self::Aicore => "AICore",
        })
    }
}

/// Device clock and host clock read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPair {
    /// `CLOCK_MONOTONIC_RAW` of the host.
    pub host_ns: u64,
    /// The device's system counter.
    pub device_ticks: u64,
    /// How far apart the two readings may be.
    pub uncertainty_ns: u64,
}

/// An opened device.
pub trait Device: Send + Sync + fmt::Debug {
    /// What is known of it.
    fn info(&self) -> &DeviceInfo;

    /// Whether it can do something.
    fn has(&self, capability: Capability) -> bool;

    /// Binds the calling thread to the device.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn attach_thread(&self) -> Result<Attachment>;

    /// Allocates device memory; `bytes` is not 0.
    ///
    /// # Errors
    ///
    /// The driver's refusal; [`PlatformError::DevicePoisoned`].
    fn allocate(&self, bytes: u64) -> Result<Arc<dyn DeviceMemory>>;

    /// Copies host bytes to the device and returns when they are there.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn copy_to_device(&self, to: DeviceAddress, from: &[u8]) -> Result<()>;

    /// Copies device bytes to the host.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn copy_to_host(&self, to: &mut [u8], from: DeviceAddress) -> Result<()>;

    /// A host view of the first `bytes` bytes of `memory`; keeps the memory alive.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn map(&self, memory: &Arc<dyn DeviceMemory>, bytes: u64) -> Result<Box<dyn Mapping>>;

    /// Window address of every physical core, valid on the device alone; 0 for an unusable core.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn register_table(&self) -> Result<Vec<u64>>;

    /// Address of the page of hardware counters of every physical core, as [`Device::register_table`];
    /// empty where the counters lie in the windows. Asked for by runs that count, and by no others.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn pmu_register_table(&self) -> Result<Vec<u64>>;

    /// The bytes a kernel image occupies on the device: the `.text` of an AICore object, or the
    /// whole of a host shared object. Uploaded to a 64-byte-aligned address, that is the function.
    ///
    /// # Errors
    ///
    /// [`PlatformError::BadProgram`] when `image` is neither.
    fn kernel_bytes<'a>(&self, image: &'a [u8]) -> Result<&'a [u8]>;

    /// Delivers the AICPU program and registers the AICore program; both stay for the session.
    ///
    /// # Errors
    ///
    /// [`PlatformError::BadProgram`], or the driver's refusal.
    fn load_programs(&self, programs: &Programs) -> Result<()>;

    /// Waits until no other session of this process runs programs on the device, and keeps them out
    /// until the result is dropped. A device that is never shared need not do anything.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Busy`] when `limit` passes first.
    fn take_turn(&self, limit: Duration) -> Result<Turn> {
        let _ = limit;
        Ok(Turn::new(|| ()))
    }

    /// Launches the AICore program, then the AICPU program. When the second is refused, calls
    /// `abort` (which must make the cores leave), waits for the AICore stream and only then returns.
    ///
    /// # Errors
    ///
    /// The driver's refusal; [`PlatformError::DevicePoisoned`].
    fn launch(&self, launch: &Launch, abort: &dyn Fn()) -> Result<()>;

    /// Waits until everything launched on `stream` is done.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Timeout`] when `limit` passes first; the error of a failed launch, which also
    /// poisons the device.
    fn synchronize(&self, stream: StreamKind, limit: Duration) -> Result<()>;

    /// Whether a program may still run: a wait on its stream ended without word of its end, success or
    /// its own failure, and no later one had it. What the program may use is not released meanwhile.
    fn is_overdue(&self) -> bool;

    /// Whether an earlier failure made the device unusable until it is opened anew.
    fn is_poisoned(&self) -> bool;
}
