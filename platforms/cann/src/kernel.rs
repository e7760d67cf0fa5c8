//! Which bytes of a kernel image a device needs.

use lanescope_platform::{PlatformError, Result};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Object, ObjectSection};

/// The machine this host runs on.
#[cfg(target_arch = "x86_64")]
const HOST_MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const HOST_MACHINE: elf::Machine = elf::EM_AARCH64;

/// The `.text` of an AICore object, or the whole of a host shared object, which only a simulated
/// device can run.
///
/// # Errors
///
/// [`PlatformError::BadProgram`] when `image` is neither.
pub fn kernel_bytes(image: &[u8], is_simulated: bool) -> Result<&[u8]> {
    let bad = |reason: String| PlatformError::BadProgram {
        what: "kernel image".to_owned(),
        reason,
    };
    let object: ElfFile64<'_> =
        ElfFile64::parse(image).map_err(|error| bad(format!("no 64-bit ELF object: {error}")))?;
    let endian = object.endian();
    let header = object.elf_header();
    let machine = header.e_machine(endian);
    if machine == HOST_MACHINE {
        if header.e_type(endian) != elf::ET_DYN {
            return Err(bad("built for the host, but no shared object".to_owned()));
        }
        if !is_simulated {
            return Err(bad(
                "built for the host, expected an AICore object: this device is no simulated one"
                    .to_owned(),
            ));
        }
        return Ok(image);
    }
    if matches!(
        machine,
        elf::EM_X86_64 | elf::EM_AARCH64 | elf::EM_386 | elf::EM_ARM
    ) {
        return Err(bad(format!(
            "built for machine {}, which is neither this host ({}) nor an AICore",
            machine.0, HOST_MACHINE.0
        )));
    }
    let text = object
        .section_by_name(".text")
        .ok_or_else(|| bad("no .text section".to_owned()))?
        .data()
        .map_err(|error| bad(format!("section .text: {error}")))?;
    if text.is_empty() {
        return Err(bad("its .text section is empty".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_is_refused() {
        let error = kernel_bytes(b"not a kernel", true).unwrap_err();
        assert!(
            error.to_string().contains("no 64-bit ELF object"),
            "{error}"
        );
    }
}
