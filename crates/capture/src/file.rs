//! A capture file mapped into memory.

use crate::error::{CaptureError, Result};
use crate::{Capture, CaptureWriter};
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// An open capture file. [`CaptureFile::read`] gives its contents.
#[derive(Debug)]
pub struct CaptureFile {
    path: PathBuf,
    map: Mmap,
}

impl CaptureFile {
    /// Opens and maps a file. The file must not shrink while it is open; growing is harmless.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let failed = |source| CaptureError::Open {
            path: path.clone(),
            source,
        };
        Self::of(File::open(&path).map_err(failed)?, &path)
    }

    /// Maps an open file; `path` is what messages call it. As for [`CaptureFile::open`].
    ///
    /// # Errors
    ///
    /// [`CaptureError::Open`].
    pub fn of(file: File, path: &Path) -> Result<Self> {
        let path = path.to_path_buf();
        let failed = |source| CaptureError::Open {
            path: path.clone(),
            source,
        };
        // SAFETY: the mapping is read-only and private to this value; a capture is append-only, so
        // bytes that were there when it was mapped do not change.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self { path, map })
    }

    /// Checks the file and finds its blocks.
    ///
    /// # Errors
    ///
    /// As for [`Capture::from_bytes`].
    pub fn read(&self) -> Result<Capture<'_>> {
        Capture::from_bytes(&self.map)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl CaptureWriter<File> {
    /// Creates a capture file, or empties the one that is there.
    ///
    /// # Errors
    ///
    /// [`CaptureError::Open`] or [`CaptureError::Write`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|source| CaptureError::Open {
            path: path.to_path_buf(),
            source,
        })?;
        Self::new(file)
    }
}
