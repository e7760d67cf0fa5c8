//! A capture file mapped into memory.

use crate::error::{CaptureError, Result};
use crate::{Capture, CaptureWriter};
use memmap2::{Mmap, UncheckedAdvice};
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
        let mut pass = self.pass();
        Capture::from_bytes_with(&self.map, |offset| pass.reach(offset))
    }

    /// A new pass over the file.
    #[must_use]
    pub fn pass(&self) -> Pass<'_> {
        self.pass_from(0)
    }

    /// A new pass over what lies behind `offset`.
    #[must_use]
    pub fn pass_from(&self, offset: u64) -> Pass<'_> {
        Pass {
            file: self,
            given_back: usize::try_from(offset).unwrap_or(usize::MAX),
        }
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

/// One reader's way through a file: the pages behind it are given back to the system, so that a file of
/// any size takes little memory. What was given back can still be read; the system fetches it again.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    file: &'a CaptureFile,
    given_back: usize,
}

/// Bytes behind a reader that stay in memory. To give pages back interrupts every processor that runs a thread
/// of the process, so it is seldom done.
const KEPT_BYTES: usize = 16 << 20;

impl Pass<'_> {
    /// Says that what lies before `offset` was read.
    #[inline]
    pub fn reach(&mut self, offset: u64) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset >= self.given_back.saturating_add(KEPT_BYTES) {
            self.give_back(offset);
        }
    }

    #[cold]
    fn give_back(&mut self, offset: usize) {
        let end = offset.min(self.file.map.len());
        let bytes = end.saturating_sub(self.given_back);
        // SAFETY: the mapping is shared and never written to, so the file holds every byte of it, and
        // a page that was given back is read from there again.
        let advised = unsafe {
            let advice = UncheckedAdvice::DontNeed;
            self.file
                .map
                .unchecked_advise_range(advice, self.given_back, bytes)
        };
        // It is advice: a system that does not take it only needs more memory.
        drop(advised);
        self.given_back = end;
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
