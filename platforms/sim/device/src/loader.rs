//! What programs and kernels are loaded from, and what has been: the same in every mode.
//!
//! # Who writes what
//!
//! Whoever loads holds a lock; agents that are threads meet here only at the first call of a
//! kernel, so that no lock of ours orders what theirs should.

use crate::error::DeviceProcessError;
use crate::image::Images;
use crate::kernel::{Kernel, Kernels};
use crate::memory::Memory;
use lanescope_abi::DeviceTable;
use libloading::Library;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that has been loaded into this process, and the memory it came from.
#[derive(Debug)]
pub struct Loader {
    /// Device memory.
    pub memory: Memory,
    /// What programs are bound to.
    table: &'static DeviceTable,
    images: Mutex<Images>,
    /// Files that a dispatcher has stored.
    files: Mutex<HashMap<String, Vec<u8>>>,
    /// Kernels that have been called.
    kernels: Mutex<Kernels>,
}

impl Loader {
    /// Nothing loaded yet; programs will be bound to `table`.
    #[must_use]
    pub fn new(memory: Memory, table: &'static DeviceTable) -> Self {
        Self {
            memory,
            table,
            images: Mutex::default(),
            files: Mutex::default(),
            kernels: Mutex::default(),
        }
    }

    /// What programs are bound to.
    #[must_use]
    pub fn table(&self) -> &'static DeviceTable {
        self.table
    }

    /// The image with these bytes; see [`Images::load`].
    ///
    /// # Errors
    ///
    /// As [`Images::load`].
    pub fn image(&self, what: &str, bytes: &[u8]) -> Result<&'static Library, DeviceProcessError> {
        lock(&self.images).load(what, bytes)
    }

    /// Keeps a file for later launches by name.
    pub fn store_file(&self, name: &str, bytes: &[u8]) {
        lock(&self.files).insert(name.to_owned(), bytes.to_vec());
    }

    /// A stored file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        lock(&self.files).get(name).cloned()
    }

    /// A launch of cores begins: what is at the address of a kernel may have changed.
    pub fn begin_launch(&self) {
        lock(&self.kernels).begin_launch();
    }

    /// The kernel at an address, loaded now if it is not yet.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when there is none, or it cannot be loaded.
    #[inline]
    pub fn kernel(&self, address: u64) -> Result<Kernel, DeviceProcessError> {
        let mut kernels = lock(&self.kernels);
        match kernels.find_checked(address) {
            Some(kernel) => Ok(kernel),
            None => kernels.load(&self.memory, &mut lock(&self.images), address),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
