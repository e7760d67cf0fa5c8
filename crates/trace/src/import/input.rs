//! A file to read, wherever it comes from: what gives its bytes once only is kept in a file without a name.

use crate::{TraceError, scratch};
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

/// A file that can be read from its begin any number of times.
#[derive(Debug)]
pub(crate) struct Input {
    path: PathBuf,
    /// The bytes of a pipe or a device.
    kept: Option<File>,
}

impl Input {
    /// A pipe is read to its end, here and nowhere else.
    pub(crate) fn of(path: &Path) -> Result<Self, TraceError> {
        let failed = |source| read_failed(path, source);
        let data = fs::metadata(path).map_err(failed)?;
        let kept = match data.is_file() || data.is_dir() {
            true => None,
            false => Some(keep(path).map_err(failed)?),
        };
        let path = path.to_owned();
        Ok(Self { path, kept })
    }

    /// What errors call it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes from the first on; whoever reads is done before the next one opens it.
    pub(crate) fn open(&self) -> Result<File, TraceError> {
        let opened = match &self.kept {
            None => File::open(&self.path),
            Some(kept) => kept.try_clone().and_then(|mut file| {
                file.rewind()?;
                Ok(file)
            }),
        };
        opened.map_err(|source| read_failed(&self.path, source))
    }
}

fn keep(path: &Path) -> io::Result<File> {
    let mut source = File::open(path)?;
    let mut kept = scratch::unnamed(&std::env::temp_dir())?;
    io::copy(&mut source, &mut kept)?;
    Ok(kept)
}

fn read_failed(path: &Path, source: io::Error) -> TraceError {
    TraceError::Read {
        path: path.to_owned(),
        source,
    }
}
