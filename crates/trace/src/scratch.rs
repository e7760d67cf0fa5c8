//! Files without a name: they are gone when they are closed, whatever happens.

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes a file for reading and writing in `folder` and takes its name away.
pub(crate) fn unnamed(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".lanescope-{}-{number}.part", std::process::id());
        let path = folder.join(name);
        let made = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        match made {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // Left by a process of the same number that was stopped in between.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes room for `bytes` in a new file, all of them 0.
pub(crate) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // A file system that cannot set room aside is written to.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, bytes),
        reserved => Ok(reserved?),
    }
}

fn fill(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = [0; 64 << 10];
    let mut filled = 0;
    while filled < bytes {
        let left = usize::try_from(bytes - filled).unwrap_or(usize::MAX);
        let count = left.min(zeros.len());
        file.write_all_at(&zeros[..count], filled)?;
        filled += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_of_zeros_either_way() {
        for make in [reserve, fill] {
            let file = unnamed(&std::env::temp_dir()).unwrap();
            make(&file, 100_001).unwrap();
            let mut bytes = vec![1; 100_001];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert!(bytes.iter().all(|&byte| byte == 0));
            assert_eq!(file.metadata().unwrap().len(), 100_001);
        }
    }
}
