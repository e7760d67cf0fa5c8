//! An opened device: its count in the driver, the threads bound to it, and its first failure.
//!
//! # Who writes what
//!
//! The driver counts how often a device was set in this process and tears it down at 0. A
//! [`Context`] is one per device and process; it owns one count for each thread that opened the
//! device. An attachment owns one more, a thread that is neither gets one for the length of a call.
//! So the counts balance, and the device ends with the last object that belongs to it.

use crate::bound::{enter, forget_unless, is_bound, is_current, leave, note_reset, note_set};
use crate::calls::{function, runtime_result};
use crate::turn::Turns;
use cann_sys::Libraries;
use cann_sys::codes::{CONTEXT_RELEASE, is_device_fault};
use lanescope_platform::{Attachment, PlatformError, Result};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// A device of the driver, set by this process; reset when dropped.
pub struct Context {
    libraries: &'static Libraries,
    logical_id: u32,
    device: i32,
    driver_id: u32,
    /// Names this context among all that ever were, for the threads' notes.
    serial: u64,
    /// `rtSetDevice` calls that are undone when the context is dropped.
    opened: AtomicU32,
    fault: OnceLock<String>,
    /// Fingerprint of the shared object that the device process keeps.
    delivered: Mutex<Option<u64>>,
    pub(crate) turns: Turns,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("device", &self.logical_id)
            .field("fault", &self.fault.get())
            .finish_non_exhaustive()
    }
}

/// Keeps the calling thread bound to the device while it calls the driver.
#[derive(Debug)]
#[must_use = "the thread is unbound when this is dropped"]
pub struct Binding<'a> {
    /// The context to leave again, when this binding was made for one call.
    temporary: Option<&'a Context>,
}

/// The contexts that exist; one is here until its reset is through.
static CONTEXTS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static CONTEXT_GONE: Condvar = Condvar::new();
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

struct Entry {
    libraries: *const Libraries,
    logical_id: u32,
    serial: u64,
    context: Weak<Context>,
}

// SAFETY: the pointer is compared, never followed.
unsafe impl Send for Entry {}

impl Context {
    /// Sets the device for the calling thread, which stays bound to it.
    ///
    /// # Errors
    ///
    /// The driver's refusal; [`PlatformError::DevicePoisoned`] when the process already holds the
    /// device and it is unusable.
    pub fn open(
        libraries: &'static Libraries,
        logical_id: u32,
        driver_id: u32,
    ) -> Result<Arc<Self>> {
        let device = i32::try_from(logical_id).map_err(|_| PlatformError::Config {
            what: "device".to_owned(),
            reason: format!("{logical_id} is no device id"),
        })?;
        let mut contexts = lock(&CONTEXTS);
        forget_unless(|serial| contexts.iter().any(|entry| entry.serial == serial));
        let existing = loop {
            let entry = contexts.iter().find(|entry| {
                std::ptr::eq(entry.libraries, libraries) && entry.logical_id == logical_id
            });
            match entry.map(|entry| entry.context.upgrade()) {
                None => break None,
                Some(Some(context)) => break Some(context),
                Some(None) => {
                    contexts = CONTEXT_GONE
                        .wait(contexts)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        if let Some(context) = existing {
            drop(contexts);
            context.check()?;
            context.bind_opener()?;
            return Ok(context);
        }
        set_device(libraries, device)?;
        let context = Arc::new(Self {
            libraries,
            logical_id,
            device,
            driver_id,
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            opened: AtomicU32::new(1),
            fault: OnceLock::new(),
            delivered: Mutex::new(None),
            turns: Turns::default(),
        });
        enter(context.serial);
        note_set(context.serial);
        contexts.push(Entry {
            libraries,
            logical_id,
            serial: context.serial,
            context: Arc::downgrade(&context),
        });
        Ok(context)
    }

    /// The driver's libraries.
    #[must_use]
    pub fn libraries(&self) -> &'static Libraries {
        self.libraries
    }

    /// The id that `rt*` and `acl*` calls take.
    #[must_use]
    pub fn logical_id(&self) -> u32 {
        self.logical_id
    }

    /// The id that `hal*` calls take.
    #[must_use]
    pub fn driver_id(&self) -> u32 {
        self.driver_id
    }

    /// Binds the calling thread, unless its calls go to this device anyway, until the result is
    /// dropped.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    pub fn bind(&self) -> Result<Binding<'_>> {
        if is_current(self.serial) {
            return Ok(Binding { temporary: None });
        }
        self.set()?;
        Ok(Binding {
            temporary: Some(self),
        })
    }

    /// Binds the calling thread until the result is dropped, and keeps the device open that long.
    pub(crate) fn attach(self: &Arc<Self>) -> Result<Attachment> {
        if !is_bound(self.serial) {
            self.set()?;
        }
        enter(self.serial);
        let context = Arc::clone(self);
        Ok(Attachment::new(move || {
            if leave(context.serial) {
                context.reset_once();
            }
        }))
    }

    /// The first failure, as an error, when the device is unusable.
    ///
    /// # Errors
    ///
    /// [`PlatformError::DevicePoisoned`].
    pub fn check(&self) -> Result<()> {
        match self.fault.get() {
            None => Ok(()),
            Some(cause) => Err(PlatformError::DevicePoisoned {
                device: self.logical_id,
                cause: cause.clone(),
            }),
        }
    }

    /// Whether an earlier failure made the device unusable.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.fault.get().is_some()
    }

    /// Makes the device unusable; only the first cause is kept.
    pub(crate) fn poison(&self, cause: &str) {
        if self.fault.set(cause.to_owned()).is_ok() {
            log::debug!("device {} is unusable: {cause}", self.logical_id);
        }
    }

    /// The result of an `rt*` or `acl*` call; a code that says the device is lost poisons it.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Driver`] unless `code` is 0.
    pub fn runtime_result(&self, call: &'static str, code: i32) -> Result<()> {
        let result = runtime_result(self.libraries, call, code);
        if let Err(error) = &result
            && is_device_fault(code)
        {
            self.poison(&error.to_string());
        }
        result
    }

    /// Runs `deliver`, unless the device process keeps another shared object than the one with
    /// this fingerprint: it keeps the first.
    pub(crate) fn deliver_once(
        &self,
        fingerprint: u64,
        deliver: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut delivered = lock(&self.delivered);
        if let Some(first) = *delivered
            && first != fingerprint
        {
            return Err(PlatformError::Unsupported {
                what: "a second AICPU program",
                reason: format!(
                    "the device keeps the first one until it is closed: {first:016x}, not \
                     {fingerprint:016x}"
                ),
            });
        }
        deliver()?;
        *delivered = Some(fingerprint);
        Ok(())
    }

    fn bind_opener(&self) -> Result<()> {
        if !is_bound(self.serial) {
            self.set()?;
            self.opened.fetch_add(1, Ordering::Relaxed);
            enter(self.serial);
        }
        Ok(())
    }

    /// Adds one to the driver's count; the calling thread's calls go to this device from here on.
    fn set(&self) -> Result<()> {
        set_device(self.libraries, self.device)?;
        note_set(self.serial);
        Ok(())
    }

    /// Takes one from the driver's count; returns whether there is more to take.
    fn reset_once(&self) -> bool {
        let Ok(function) = function!(self.libraries.runtime, rtDeviceReset) else {
            return false;
        };
        // SAFETY: takes a number only.
        let code = unsafe { function(self.device) };
        note_reset();
        if let Err(error) = runtime_result(self.libraries, "rtDeviceReset", code) {
            if self.is_poisoned() {
                log::debug!("while leaving device {}: {error}", self.logical_id);
            } else {
                log::warn!("while leaving device {}: {error}", self.logical_id);
            }
        }
        code != CONTEXT_RELEASE
    }

    /// Clears a fault that an ordinary reset leaves behind; the count is 0 afterwards.
    fn reset_force(&self) -> bool {
        let Some(Ok(function)) = self
            .libraries
            .acl
            .as_ref()
            .map(|acl| &acl.aclrtResetDeviceForce)
        else {
            return false;
        };
        // SAFETY: takes a number only.
        let code = unsafe { function(self.device) };
        note_reset();
        if code != 0 {
            log::warn!(
                "aclrtResetDeviceForce of device {}: {code}",
                self.logical_id
            );
        }
        code == 0
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // Under the lock, so that a thread that opens the device meanwhile waits for the reset.
        let mut contexts = lock(&CONTEXTS);
        if !(self.is_poisoned() && self.reset_force()) {
            for _ in 0..self.opened.load(Ordering::Relaxed) {
                if !self.reset_once() {
                    break;
                }
            }
        }
        contexts.retain(|entry| entry.serial != self.serial);
        forget_unless(|serial| contexts.iter().any(|entry| entry.serial == serial));
        drop(contexts);
        CONTEXT_GONE.notify_all();
    }
}

impl Drop for Binding<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.temporary {
            context.reset_once();
        }
    }
}

fn set_device(libraries: &Libraries, device: i32) -> Result<()> {
    let function = function!(libraries.runtime, rtSetDevice)?;
    // SAFETY: takes a number only.
    runtime_result(libraries, "rtSetDevice", unsafe { function(device) })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
