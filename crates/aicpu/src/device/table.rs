//! The device interface through the table that the simulated driver binds.

use core::sync::atomic::{AtomicPtr, Ordering};
use lanescope_abi::{Awaited, Barrier, Checksum, Device, DeviceTable};

static BOUND: AtomicPtr<DeviceTable> = AtomicPtr::new(core::ptr::null_mut());

/// Every call goes through the bound [`DeviceTable`].
#[derive(Clone, Copy, Debug)]
pub struct TableDevice {
    table: &'static DeviceTable,
}

/// Why a table cannot be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There is none.
    #[error("no device table was given")]
    Null,
    /// It lacks functions.
    #[error("device table has {bytes} bytes; expected at least {expected}")]
    TooSmall {
        /// What it has.
        bytes: u64,
        /// What this program needs.
        expected: u64,
    },
}

impl TableDevice {
    /// Binds the table that every later [`TableDevice::bound`] finds.
    ///
    /// # Errors
    ///
    /// A missing or short table is refused; the one bound before stays.
    ///
    /// # Safety
    ///
    /// - `table` is null, or points to a table whose first word is its length, and which stays as it
    ///   is while the program is loaded.
    pub unsafe fn bind(table: *const DeviceTable) -> Result<(), TableError> {
        if table.is_null() {
            return Err(TableError::Null);
        }
        // SAFETY: not null, so a table of which at least the first word exists.
        let bytes = unsafe { table.cast::<u64>().read() };
        let expected = size_of::<DeviceTable>() as u64;
        if bytes < expected {
            return Err(TableError::TooSmall { bytes, expected });
        }
        BOUND.store(table.cast_mut(), Ordering::Release);
        Ok(())
    }

    /// The device behind the bound table, if one was bound.
    #[must_use]
    pub fn bound() -> Option<Self> {
        let table = BOUND.load(Ordering::Acquire);
        // SAFETY: null, or a whole table that `bind` was promised stays.
        unsafe { table.as_ref() }.map(|table| Self { table })
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &'static DeviceTable {
        self.table
    }
}

impl Device for TableDevice {
    #[inline]
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the table function asks for an aligned word of shared memory, as this method does.
        unsafe { (self.table.load32)(address) }
    }

    #[inline]
    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: the table function asks for an aligned word of shared memory, as this method does.
        unsafe { (self.table.load64)(address) }
    }

    #[inline]
    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: the table function asks for an aligned word of shared memory, as this method does.
        unsafe { (self.table.store32)(address, value) };
    }

    #[inline]
    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: the table function asks for an aligned word of shared memory, as this method does.
        unsafe { (self.table.store64)(address, value) };
    }

    #[inline]
    fn clean(&self, address: u64) {
        (self.table.clean)(address);
    }

    #[inline]
    fn invalidate(&self, address: u64) {
        (self.table.invalidate)(address);
    }

    #[inline]
    fn barrier(&self, barrier: Barrier) {
        (self.table.barrier)(barrier as u32);
    }

    #[inline]
    unsafe fn read_reg(&self, address: u64) -> u32 {
        // SAFETY: the table function asks for a register of the table, as this method does.
        unsafe { (self.table.read_reg)(address) }
    }

    #[inline]
    unsafe fn write_reg(&self, address: u64, value: u32) {
        // SAFETY: the table function asks for a register of the table that this agent writes, as this
        // method does.
        unsafe { (self.table.write_reg)(address, value) };
    }

    unsafe fn copy(&self, to: u64, from: u64, bytes: u64) {
        // SAFETY: the table function asks for the same ranges as this method.
        unsafe { (self.table.copy)(to, from, bytes) };
    }

    unsafe fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
        // SAFETY: the table function asks for the same ranges as this method; the checksum is valid for the call.
        unsafe { (self.table.copy_summed)(to, from, bytes, checksum) };
    }

    #[inline]
    fn ticks(&self) -> u64 {
        (self.table.ticks)()
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        // SAFETY: the pointer is valid for the call.
        unsafe { (self.table.relax)(awaited) };
    }
}
