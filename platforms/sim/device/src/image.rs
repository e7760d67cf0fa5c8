//! Images: shared objects that arrived as bytes, handed to the dynamic loader.
//!
//! Each different image is loaded once and stays for the life of the process: its file descriptor
//! too, since the loader takes two files of one name for the same.

use crate::error::DeviceProcessError;
use crate::memory::Memory;
use libloading::Library;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::Write;

/// The longest image that is looked at.
const MAX_IMAGE_BYTES: u64 = 1 << 30;

const HEADER_BYTES: u64 = 64;

/// Everything that has been loaded.
#[derive(Debug, Default)]
pub struct Images {
    images: Vec<Image>,
}

#[derive(Debug)]
struct Image {
    bytes: Vec<u8>,
    library: &'static Library,
}

impl Images {
    /// The image with these bytes, loaded now if it is not yet. `what` names it in errors.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Keep`] or [`DeviceProcessError::Load`].
    pub fn load(
        &mut self,
        what: &str,
        bytes: &[u8],
    ) -> Result<&'static Library, DeviceProcessError> {
        if let Some(image) = self.images.iter().find(|image| image.bytes == bytes) {
            return Ok(image.library);
        }
        let file = keep(what, bytes).map_err(|source| DeviceProcessError::Keep {
            what: what.to_owned(),
            source,
        })?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // SAFETY:
        // - Initialisers of the image run here: it is a device program or kernel, whose sender
        //   vouches for it as for what it does when it is called.
        let library =
            unsafe { Library::new(&path) }.map_err(|source| DeviceProcessError::Load {
                what: what.to_owned(),
                source,
            })?;
        // The name must stay taken as long as the library is loaded.
        std::mem::forget(file);
        let library: &'static Library = Box::leak(Box::new(library));
        self.images.push(Image {
            bytes: bytes.to_vec(),
            library,
        });
        Ok(library)
    }

    /// The bytes of a loaded image.
    #[must_use]
    pub fn bytes_of(&self, library: &'static Library) -> Option<&[u8]> {
        let image = self
            .images
            .iter()
            .find(|image| std::ptr::eq(image.library, library))?;
        Some(&image.bytes)
    }
}

fn keep(what: &str, bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let name: String = what.chars().filter(|c| *c != '\0').take(200).collect();
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// Length of the ELF file that starts at a device address.
///
/// # Errors
///
/// [`DeviceProcessError::NotAnImage`] when there is none, or when it would not end inside memory.
pub fn elf_bytes(memory: &Memory, what: &str, address: u64) -> Result<u64, DeviceProcessError> {
    let refused = |reason: &str| DeviceProcessError::NotAnImage {
        what: format!("{what} at {address:#x}"),
        reason: reason.to_owned(),
    };
    let header = memory
        .copy(address, HEADER_BYTES)
        .ok_or_else(|| refused("it does not lie in device memory"))?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(refused("it is not a 64-bit little-endian ELF file"));
    }
    let sections = table(&header, 40, 58, 60);
    let segments = table(&header, 32, 54, 56);
    let mut end = HEADER_BYTES.max(sections.end());
    for index in 0..segments.count {
        let entry = address
            .checked_add(segments.offset)
            .and_then(|start| start.checked_add(index * segments.entry_bytes))
            .and_then(|start| memory.copy(start, 40))
            .ok_or_else(|| refused("its segment table does not lie in device memory"))?;
        end = end.max(field(&entry, 8, 8).saturating_add(field(&entry, 32, 8)));
    }
    if end > MAX_IMAGE_BYTES || !memory.contains(address, end) {
        return Err(refused("its end does not lie in device memory"));
    }
    Ok(end)
}

struct Table {
    offset: u64,
    entry_bytes: u64,
    count: u64,
}

impl Table {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.entry_bytes * self.count)
    }
}

/// A table of the file; the header holds its offset and, in 2 bytes each, the size and number of
/// its entries.
fn table(header: &[u8], offset_at: usize, size_at: usize, count_at: usize) -> Table {
    Table {
        offset: field(header, offset_at, 8),
        entry_bytes: field(header, size_at, 2),
        count: field(header, count_at, 2),
    }
}

fn field(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut word = [0; 8];
    word[..length].copy_from_slice(&bytes[at..at + length]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    fn put(memory: &Memory, offset: u64, bytes: &[u8]) {
        for (i, chunk) in (0u64..).zip(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let target = memory.word64(memory.base() + offset + 8 * i).unwrap();
            target.store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
    }

    #[test]
    fn hostile_headers_are_refused() {
        let memory = Memory::anonymous(1 << 16).unwrap();
        let length = |memory: &Memory| elf_bytes(memory, "kernel", memory.base());
        assert!(length(&memory).is_err());
        let mut header = [0u8; 64];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        put(&memory, 0, &header);
        assert_eq!(length(&memory).unwrap(), 64);
        header[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        put(&memory, 0, &header);
        assert!(length(&memory).is_err());
        header[40..48].copy_from_slice(&4096u64.to_le_bytes());
        header[58..60].copy_from_slice(&64u16.to_le_bytes());
        header[60..62].copy_from_slice(&3u16.to_le_bytes());
        put(&memory, 0, &header);
        assert_eq!(length(&memory).unwrap(), 4096 + 192);
        header[32..40].copy_from_slice(&(u64::MAX - 8).to_le_bytes());
        header[56..58].copy_from_slice(&9u16.to_le_bytes());
        put(&memory, 0, &header);
        assert!(length(&memory).is_err());
        assert!(elf_bytes(&memory, "kernel", memory.base() + (1 << 16) - 8).is_err());
    }
}
