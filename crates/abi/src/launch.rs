//! What the host hands to the vendor's launch calls, and what a device program says of itself.

use crate::{ABI_HASH, ABI_VERSION, Chip};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `b"LSPROG01"`.
pub const PROGRAM_MAGIC: [u8; 8] = *b"LSPROG01";

/// The ELF section that holds a [`ProgramDescriptor`].
pub const PROGRAM_SECTION: &str = ".lanescope";

/// The entry the simulated driver calls first, with a [`crate::DeviceTable`].
pub const BIND_SYMBOL: &str = "lanescope_bind";

/// Entry of a kernel: `void kernel_entry(const uint64_t *args)`.
pub const KERNEL_SYMBOL: &str = "kernel_entry";

/// Optional in a kernel built for the simulator:
/// `void kernel_cost(const uint64_t *args, lanescope_kernel_cost *cost)`.
pub const KERNEL_COST_SYMBOL: &str = "kernel_cost";

/// Entry of the AICore program on cube cores.
pub const AICORE_AIC_SYMBOL: &str = "aicore_kernel_0_mix_aic";
/// Entry of the AICore program on vector cores.
pub const AICORE_AIV_SYMBOL: &str = "aicore_kernel_0_mix_aiv";

/// What a program is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramKind {
    /// Runs on the AICPU: schedules and records.
    Aicpu = 1,
    /// Runs on every AICore.
    Aicore = 2,
    /// Runs on the AICPU once: stores a delivered program under a name.
    Dispatcher = 3,
}

/// What a device program was built for; the host reads it from the program's bytes and refuses a
/// program that does not match before anything is launched.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct ProgramDescriptor {
    /// [`PROGRAM_MAGIC`].
    pub magic: [u8; 8],
    /// [`crate::ABI_HASH`] of the build.
    pub abi_hash: u64,
    /// [`crate::ABI_VERSION`] of the build.
    pub abi_version: u32,
    /// [`ProgramKind`] as a number.
    pub kind: u32,
    /// [`Chip`] as a number; 0 when the program serves every chip.
    pub chip: u32,
    /// Ring size, 0 when the program does not depend on it.
    pub ring_size: u32,
}

impl ProgramDescriptor {
    /// The descriptor of a program built from this very crate.
    #[must_use]
    pub const fn new(kind: ProgramKind, chip: Option<Chip>, ring_size: u32) -> Self {
        Self {
            magic: PROGRAM_MAGIC,
            abi_hash: ABI_HASH,
            abi_version: ABI_VERSION,
            kind: kind as u32,
            chip: match chip {
                Some(chip) => chip as u32,
                None => 0,
            },
            ring_size,
        }
    }
}

/// The argument blob of every AICPU launch; the driver copies it at the call.
///
/// The vendor's loader reads `device_args` at offset 40; the rest is ours.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct AicpuArgs {
    /// Written as 0.
    pub reserved: [u64; 5],
    /// Device address of [`DeviceArgs`].
    pub device_args: u64,
    /// Device address of the control region.
    pub control_address: u64,
    /// Written as 0.
    pub reserved_end: [u64; 7],
}

/// Names the bytes that a delivery brings. Written by the host before the delivery.
///
/// The vendor's loader reads `program_address` and `program_bytes`; the other fields are for our
/// dispatcher, which is then the program that is delivered.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct DeviceArgs {
    /// Written as 0.
    pub reserved: [u64; 12],
    /// Device address of the shared object to load.
    pub program_address: u64,
    /// Its length.
    pub program_bytes: u64,
    /// The device's id.
    pub device_id: u64,
    /// For the dispatcher: device address of the shared object to store.
    pub inner_address: u64,
    /// Its length.
    pub inner_bytes: u64,
    /// For the dispatcher: fingerprint, part of the stored file's name.
    pub inner_fingerprint: u64,
    /// Written as 0.
    pub reserved_end: [u64; 2],
}

/// What running a kernel costs, as the kernel's own model states it (simulator builds only).
///
/// Pipes overlap: the kernel lasts as long as its longest pipe plus `fixed_ns`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct KernelCost {
    /// When not 0, the kernel lasts exactly this long and nothing else counts.
    pub exact_ticks: u64,
    /// Start-up and drain, outside every pipe.
    pub fixed_ns: u64,
    /// Cycles of the cube pipe.
    pub cube_cycles: u64,
    /// Cycles of the vector pipe.
    pub vector_cycles: u64,
    /// Cycles of the scalar pipe.
    pub scalar_cycles: u64,
    /// Bytes read from global memory.
    pub read_bytes: u64,
    /// Bytes written to global memory.
    pub write_bytes: u64,
    /// Written as 0.
    pub reserved: u64,
}

const _: () = assert!(size_of::<AicpuArgs>() == 112);
const _: () = assert!(core::mem::offset_of!(AicpuArgs, device_args) == 40);
const _: () = assert!(size_of::<DeviceArgs>() == 160);
const _: () = assert!(core::mem::offset_of!(DeviceArgs, program_address) == 96);
const _: () = assert!(core::mem::offset_of!(DeviceArgs, inner_address) == 120);
