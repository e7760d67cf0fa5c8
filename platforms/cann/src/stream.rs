//! A stream: launches run on it in order, and the host waits for it.

use crate::Context;
use crate::calls::function;
use cann_sys::codes::{STREAM_SYNC_TIMEOUT, is_end_by_fault};
use lanescope_platform::{PlatformError, Result, StreamKind};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a stream that is still busy is waited for when the device is closed.
const CLOSE_LIMIT: Duration = Duration::from_millis(1500);

/// A stream of the driver, destroyed when dropped.
#[derive(Debug)]
pub(crate) struct Stream {
    context: Arc<Context>,
    kind: StreamKind,
    handle: *mut c_void,
    /// Something was launched that no wait has seen the end of.
    is_busy: AtomicBool,
    /// A wait has not seen that end, and no later one has.
    is_overdue: AtomicBool,
}

// SAFETY: the handle is a name for the driver, which takes it on every bound thread.
unsafe impl Send for Stream {}
// SAFETY: nothing is read through the handle; the driver locks its streams.
unsafe impl Sync for Stream {}

impl Stream {
    pub(crate) fn create(context: &Arc<Context>, kind: StreamKind) -> Result<Self> {
        let function = function!(context.libraries().runtime, rtStreamCreate)?;
        let _binding = context.bind()?;
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` is a place for one pointer.
        let code = unsafe { function(&raw mut handle, 0) };
        context.runtime_result("rtStreamCreate", code)?;
        Ok(Self {
            context: Arc::clone(context),
            kind,
            handle,
            is_busy: AtomicBool::new(false),
            is_overdue: AtomicBool::new(false),
        })
    }

    /// The handle, for a launch; the stream counts as busy from here on.
    pub(crate) fn begin(&self) -> *mut c_void {
        self.is_busy.store(true, Ordering::Relaxed);
        self.handle
    }

    /// Waits until everything launched so far is done.
    pub(crate) fn synchronize(&self, limit: Duration) -> Result<()> {
        let waited = self.wait(limit);
        self.note_end(
            waited
                .as_ref()
                .is_ok_and(|&code| code == 0 || is_end_by_fault(code)),
        );
        let code = waited?;
        if code == STREAM_SYNC_TIMEOUT {
            return Err(PlatformError::Timeout {
                stream: self.kind,
                limit,
            });
        }
        let result = self
            .context
            .runtime_result("rtStreamSynchronizeWithTimeout", code);
        if let Err(error) = &result {
            self.context.poison(&error.to_string());
        }
        result
    }

    /// The driver's code.
    fn wait(&self, limit: Duration) -> Result<i32> {
        let function = function!(
            self.context.libraries().runtime,
            rtStreamSynchronizeWithTimeout
        )?;
        let _binding = self.context.bind()?;
        // SAFETY: the handle is alive until this stream is dropped.
        Ok(unsafe { function(self.handle, milliseconds(limit)) })
    }

    /// A wait is over. Whatever else than an end it has seen, what was launched may still run.
    fn note_end(&self, is_seen: bool) {
        if is_seen {
            self.is_busy.store(false, Ordering::Relaxed);
        }
        let is_overdue = self.is_busy.load(Ordering::Relaxed);
        match (
            self.is_overdue.swap(is_overdue, Ordering::AcqRel),
            is_overdue,
        ) {
            (false, true) => self.context.stream_is_overdue(),
            (true, false) => self.context.stream_has_ended(),
            _ => {}
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Ok(function) = function!(self.context.libraries().runtime, rtStreamDestroy) else {
            return;
        };
        // A stream in error state is destroyed without a wait, and a device that does not come to
        // rest is unusable, so that it is reset by force.
        if self.is_busy.load(Ordering::Relaxed)
            && !self.context.is_poisoned()
            && let Err(error) = self.synchronize(CLOSE_LIMIT)
        {
            self.context
                .poison(&format!("{} stream busy at close: {error}", self.kind));
        }
        let _binding = self.context.bind();
        // SAFETY: the handle came from `rtStreamCreate` and is destroyed once.
        let code = unsafe { function(self.handle) };
        if let Err(error) = self.context.runtime_result("rtStreamDestroy", code)
            && !self.context.is_poisoned()
        {
            log::warn!("{} stream not destroyed: {error}", self.kind);
        }
    }
}

/// A limit as the driver takes it: at least 1 ms, rounded up.
fn milliseconds(limit: Duration) -> i32 {
    let rounded = limit.as_nanos().div_ceil(1_000_000);
    i32::try_from(rounded).unwrap_or(i32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_rounded_up_and_never_mean_for_ever() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_micros(1001)), 2);
        assert_eq!(milliseconds(Duration::from_secs(50)), 50_000);
        assert_eq!(milliseconds(Duration::MAX), i32::MAX);
    }
}
