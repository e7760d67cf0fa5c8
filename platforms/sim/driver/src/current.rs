//! What the driver keeps for each calling thread: its device, and its last failure.

use crate::codes::Refusal;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char};

/// The device a thread is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    /// Logical device.
    pub(crate) device: usize,
    /// Which opening of the device; an earlier one is gone.
    pub(crate) generation: u64,
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
    static SHOWN: RefCell<CString> = RefCell::default();
}

/// The device the calling thread chose last, which may be gone.
pub(crate) fn current() -> Option<Current> {
    CURRENT.get()
}

/// Binds the calling thread.
pub(crate) fn bind(current: Current) {
    CURRENT.set(Some(current));
}

/// Keeps the text of a failure of the calling thread.
pub(crate) fn note_failure(call: &str, refusal: &Refusal) {
    let text = format!("{call}: {} ({})", refusal.text, refusal.code);
    LAST.with_borrow_mut(|last| *last = Some(text));
}

/// The text of the calling thread's last failure, once; null when there is none. Valid until the
/// thread asks again.
pub(crate) fn take_failure() -> *const c_char {
    let Some(mut text) = LAST.take() else {
        return std::ptr::null();
    };
    text.retain(|c| c != '\0');
    let text = CString::new(text).expect("zeros were removed");
    SHOWN.with_borrow_mut(|shown| {
        *shown = text;
        shown.as_ptr()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::refuse;

    #[test]
    fn a_failure_is_told_once_and_to_its_thread_alone() {
        note_failure("rtFree", &refuse(107_000, "no\0such allocation"));
        std::thread::spawn(|| assert!(take_failure().is_null()))
            .join()
            .unwrap();
        let text = take_failure();
        // SAFETY: `take_failure` returned a string that this thread holds until it asks again.
        let text = unsafe { std::ffi::CStr::from_ptr(text) };
        assert_eq!(text.to_str().unwrap(), "rtFree: nosuch allocation (107000)");
        assert!(take_failure().is_null());
    }
}
