//! What callers pass by pointer, read and written with the null checks the vendor makes.

use crate::codes::{PARAM_INVALID, Result, refuse, require};
use std::ffi::{CStr, c_char};

/// Refuses null with `code`.
pub(super) fn non_null<T>(pointer: *const T, code: i32, what: &str) -> Result<()> {
    require(!pointer.is_null(), code, format_args!("{what} is null"))
}

/// Reads a value.
///
/// # Safety
///
/// - `pointer` is null or points to a readable `T`, aligned or not.
pub(super) unsafe fn read<T: Copy>(pointer: *const T, code: i32, what: &str) -> Result<T> {
    non_null(pointer, code, what)?;
    // SAFETY: not null, so readable; alignment is not asked for.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Writes a value.
///
/// # Safety
///
/// - `pointer` is null or points to a writable `T`, aligned or not.
pub(super) unsafe fn write<T>(pointer: *mut T, value: T, code: i32, what: &str) -> Result<()> {
    non_null(pointer, code, what)?;
    // SAFETY: not null, and the caller vouches for the rest; what was there has no drop of ours.
    unsafe { pointer.write_unaligned(value) };
    Ok(())
}

/// Reads a text.
///
/// # Safety
///
/// - `pointer` is null or points to a string that ends in zero and does not change while the
///   result is used.
pub(super) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    non_null(pointer, PARAM_INVALID, what)?;
    // SAFETY: not null, so a string that ends in zero and does not change while it is used.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str()
        .map_err(|_| refuse(PARAM_INVALID, format_args!("{what} is not UTF-8")))
}

/// Copies bytes.
///
/// # Safety
///
/// - `pointer` is null or points to `bytes` readable bytes.
pub(super) unsafe fn bytes(pointer: *const u8, bytes: usize, what: &str) -> Result<Vec<u8>> {
    non_null(pointer, PARAM_INVALID, what)?;
    // SAFETY: not null, the caller vouches for the length, and bytes have no invalid values.
    Ok(unsafe { std::slice::from_raw_parts(pointer, bytes) }.to_vec())
}
