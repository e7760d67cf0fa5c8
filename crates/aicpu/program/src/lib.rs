//! The AICPU program a chip loads.
//!
//! # Where it sits
//!
//! A shared object for the chip's own CPUs, or for the simulated driver, that exports the vendor's
//! entry names. Chip and ring size are constants of a build, from `LANESCOPE_CHIP` and
//! `LANESCOPE_RING_SIZE`; they stand in its [`ProgramDescriptor`], in a section of their own, so that
//! the host can refuse a wrong program before it is launched.
//!
//! Without the feature `schedule` only the C API of [`lanescope_aicpu::record`] is left
//! (`lanescope_record.h`), as a static library: a scheduler in C++ defines the entries.
//!
//! # Errors
//!
//! An entry returns 0 or a [`lanescope_abi::control::DeviceError`] as a number. No panic leaves it.

mod device;
#[cfg(feature = "schedule")]
mod entry;
mod record_api;

use lanescope_abi::launch::{ProgramDescriptor, ProgramKind};
use lanescope_abi::{Chip, RING_SIZES};

/// The chip this program is for.
const CHIP: Chip = match env!("LANESCOPE_CHIP").as_bytes() {
    b"a2a3" => Chip::A2a3,
    b"a5" => Chip::A5,
    _ => panic!("the build script lets no other chip through"),
};

/// Slots of each staging and payload ring.
const RING_SIZE: u32 = match u32::from_str_radix(env!("LANESCOPE_RING_SIZE"), 10) {
    Ok(ring_size) => ring_size,
    Err(_) => panic!("the build script lets only numbers through"),
};

/// [`RING_SIZE`] as a length.
const RING: usize = RING_SIZE as usize;

const _: () = assert!(
    RING_SIZE == RING_SIZES[0]
        || RING_SIZE == RING_SIZES[1]
        || RING_SIZE == RING_SIZES[2]
        || RING_SIZE == RING_SIZES[3]
        || RING_SIZE == RING_SIZES[4]
);

#[used]
#[unsafe(link_section = ".lanescope")]
static DESCRIPTOR: ProgramDescriptor =
    ProgramDescriptor::new(ProgramKind::Aicpu, Some(CHIP), RING_SIZE);
