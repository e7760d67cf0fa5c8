//! What a device program says of itself, read from its bytes before anything is delivered.
//!
//! # Where it sits
//!
//! `runtime` compares the descriptors with the build's manifest, the backends compare them with the
//! host and the chip; neither runs or loads anything for that.

use crate::{PlatformError, Programs, Result};
use lanescope_abi::launch::{PROGRAM_MAGIC, PROGRAM_SECTION, ProgramKind};
use lanescope_abi::{ABI_HASH, ABI_VERSION, Chip, ProgramDescriptor};
use object::{Object, ObjectSection};
use zerocopy::FromBytes;

/// Reads the descriptor of the device program `image`; `what` names the program in an error.
///
/// # Errors
///
/// [`PlatformError::BadProgram`] when `image` is no ELF object or holds no descriptor.
pub fn describe_program(what: &str, image: &[u8]) -> Result<ProgramDescriptor> {
    let bad = |reason: String| PlatformError::BadProgram {
        what: what.to_owned(),
        reason,
    };
    let elf = object::File::parse(image).map_err(|error| bad(format!("no ELF object: {error}")))?;
    let section = elf
        .section_by_name(PROGRAM_SECTION)
        .ok_or_else(|| bad(format!("no section {PROGRAM_SECTION}")))?;
    let data = section
        .data()
        .map_err(|error| bad(format!("section {PROGRAM_SECTION}: {error}")))?;
    let (descriptor, _) = ProgramDescriptor::read_from_prefix(data).map_err(|_| {
        bad(format!(
            "section {PROGRAM_SECTION} has {} bytes, expected {}",
            data.len(),
            size_of::<ProgramDescriptor>()
        ))
    })?;
    if descriptor.magic != PROGRAM_MAGIC {
        return Err(bad(format!("section {PROGRAM_SECTION} has another magic")));
    }
    Ok(descriptor)
}

/// Reads the descriptors of all programs and refuses any that was not built for this host and
/// `chip`, or that disagree among themselves; returns the ring size they were built with.
///
/// # Errors
///
/// [`PlatformError::BadProgram`]; [`PlatformError::AbiMismatch`], which names both values.
pub fn check_programs(programs: &Programs, chip: Chip) -> Result<u32> {
    let aicpu = check_program("AICPU program", &programs.aicpu, ProgramKind::Aicpu, chip)?;
    let aicore = check_program(
        "AICore program",
        &programs.aicore,
        ProgramKind::Aicore,
        chip,
    )?;
    if let Some(dispatcher) = &programs.dispatcher {
        check_program("dispatcher", dispatcher, ProgramKind::Dispatcher, chip)?;
    }
    if aicpu.ring_size != aicore.ring_size {
        return Err(PlatformError::AbiMismatch {
            program: "AICore program",
            field: "ring size",
            host: format!("{} (AICPU program)", aicpu.ring_size),
            device: aicore.ring_size.to_string(),
        });
    }
    Ok(aicpu.ring_size)
}

fn check_program(
    program: &'static str,
    image: &[u8],
    kind: ProgramKind,
    chip: Chip,
) -> Result<ProgramDescriptor> {
    let descriptor = describe_program(program, image)?;
    let mismatch = |field, host: String, device: String| PlatformError::AbiMismatch {
        program,
        field,
        host,
        device,
    };
    if descriptor.kind != kind as u32 {
        return Err(PlatformError::BadProgram {
            what: program.to_owned(),
            reason: format!(
                "it is a program of kind {}, expected {} ({kind:?})",
                descriptor.kind, kind as u32
            ),
        });
    }
    if descriptor.abi_version != ABI_VERSION {
        return Err(mismatch(
            "ABI version",
            ABI_VERSION.to_string(),
            descriptor.abi_version.to_string(),
        ));
    }
    if descriptor.abi_hash != ABI_HASH {
        return Err(mismatch(
            "ABI hash",
            format!("{ABI_HASH:#018x}"),
            format!("{:#018x}", descriptor.abi_hash),
        ));
    }
    if descriptor.chip != 0 && descriptor.chip != chip as u32 {
        return Err(mismatch(
            "chip",
            chip.name().to_owned(),
            Chip::from_raw(descriptor.chip).map_or_else(
                || descriptor.chip.to_string(),
                |other| other.name().to_owned(),
            ),
        ));
    }
    Ok(descriptor)
}
