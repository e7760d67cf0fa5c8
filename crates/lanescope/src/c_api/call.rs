//! What every call has in common: checked arguments, kept errors, no panic across.

use super::{LANESCOPE_BAD_ARGUMENT, LANESCOPE_FAILED, LANESCOPE_INTERNAL, LANESCOPE_OK};
use crate::{LanescopeError, Result};
use std::cell::RefCell;
use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST: RefCell<(CString, CString)> = RefCell::default();
}

/// Runs the body of a call and keeps its error for this thread.
pub(super) fn call(body: impl FnOnce() -> Result<()>) -> i32 {
    // A panic closes the object it used (its lock is poisoned), so no broken state is seen later.
    let (code, error, hint) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => (LANESCOPE_OK, String::new(), String::new()),
        Ok(Err(error)) => {
            let code = match error {
                LanescopeError::Argument { .. } | LanescopeError::UnknownPlatform { .. } => {
                    LANESCOPE_BAD_ARGUMENT
                }
                _ => LANESCOPE_FAILED,
            };
            let hint = error.hint().unwrap_or_default().to_owned();
            (code, with_sources(&error), hint)
        }
        Err(_) => (
            LANESCOPE_INTERNAL,
            "internal error of lanescope; its message is on stderr".to_owned(),
            String::new(),
        ),
    };
    LAST.with_borrow_mut(|last| *last = (c_string(error), c_string(hint)));
    code
}

pub(super) fn last_error() -> *const c_char {
    LAST.with_borrow(|(error, _)| error.as_ptr())
}

pub(super) fn last_hint() -> *const c_char {
    LAST.with_borrow(|(_, hint)| hint.as_ptr())
}

/// The text behind a pointer.
///
/// # Safety
///
/// - `pointer` is null or ends with a zero byte, and stays as it is for `'a`.
pub(super) unsafe fn text<'a>(argument: &'static str, pointer: *const c_char) -> Result<&'a str> {
    // SAFETY: the caller vouches for the pointer.
    unsafe { text_or_none(argument, pointer) }?.ok_or_else(|| null(argument))
}

/// The text behind a pointer that may be null.
///
/// # Safety
///
/// - As for [`text`].
pub(super) unsafe fn text_or_none<'a>(
    argument: &'static str,
    pointer: *const c_char,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and the caller vouches for the zero byte.
    let text = unsafe { CStr::from_ptr(pointer) };
    let text = text.to_str().map_err(|_| LanescopeError::Argument {
        argument,
        reason: "not UTF-8".to_owned(),
    })?;
    Ok(Some(text))
}

/// The bytes behind a pointer.
///
/// # Safety
///
/// - `pointer` is null or valid for reads of `count` bytes for `'a`.
pub(super) unsafe fn bytes<'a>(
    argument: &'static str,
    pointer: *const c_void,
    count: u64,
) -> Result<&'a [u8]> {
    // SAFETY: the caller vouches for the pointer; bytes have no alignment.
    unsafe { array(argument, pointer.cast::<u8>(), count) }
}

/// The items behind a pointer; null is the empty list.
///
/// # Safety
///
/// - `pointer` is null or valid for reads of `count` items for `'a`.
pub(super) unsafe fn array<'a, T>(
    argument: &'static str,
    pointer: *const T,
    count: u64,
) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(argument));
    }
    let length = usize::try_from(count)
        .ok()
        .filter(|length| {
            let bytes = length.checked_mul(size_of::<T>());
            pointer.is_aligned() && bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok())
        })
        .ok_or_else(|| LanescopeError::Argument {
            argument,
            reason: format!("{count} items at a misaligned address or more than memory holds"),
        })?;
    // SAFETY: not null, aligned, not longer than an allocation can be; the caller vouches that so
    // many items are there.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// The place a result goes to, zeroed.
///
/// # Safety
///
/// - `pointer` is null or valid for writes for `'a`, and nobody else uses it.
pub(super) unsafe fn out<'a, T: Default>(
    argument: &'static str,
    pointer: *mut T,
) -> Result<&'a mut T> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(null(argument));
    }
    // SAFETY: not null, aligned, and the caller vouches that it is writable.
    unsafe { pointer.write(T::default()) };
    // SAFETY: not null, aligned, just initialised, and the caller lends it for 'a.
    Ok(unsafe { &mut *pointer })
}

fn null(argument: &'static str) -> LanescopeError {
    LanescopeError::Argument {
        argument,
        reason: "null or misaligned".to_owned(),
    }
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn c_string(text: String) -> CString {
    CString::new(text.replace('\0', " ")).expect("every zero byte was replaced")
}
