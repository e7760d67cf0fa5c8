//! An opened device: its count in the driver, the threads bound to it, and its first failure.
//!
//! # Who writes what
//!
//! The driver counts how often a device was set in this process and tears it down at 0. A
//! [`Context`] is one per device and process; it owns one count for each thread that opened the
//! device. An attachment owns one more, a thread that is neither gets one for the length of a call.
//! So the counts balance, and the device ends with the last object that belongs to it. A count that
//! the driver refuses to give up is owed: it is tried again when the context is dropped.
//!
//! # What can be lost
//!
//! While a wait on a stream has run out, the device may still use what its program was given. What
//! is released meanwhile is kept ([`Context::release`]) until the stream is seen ended, or else left
//! to the forced reset that then ends the device.

use crate::bound::{enter, forget_unless, is_bound, is_current, leave, note_reset, note_set};
use crate::calls::{function, runtime_result};
use crate::turn::Turns;
use cann_sys::Libraries;
use cann_sys::codes::{CONTEXT_RELEASE, is_device_fault};
use lanescope_platform::{Attachment, DeviceAddress, PlatformError, Result};
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A reset by force may need more than one attempt.
const FORCED_RESETS: u32 = 3;

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
    /// Streams of which a wait has not seen the end, and no later one has.
    overdue: AtomicU32,
    /// Memory that the driver still holds for the host, and that is therefore not freed.
    left: Mutex<Vec<DeviceAddress>>,
    /// What is released when no stream is overdue any more, in the order it was asked for.
    kept: Mutex<Vec<Kept>>,
    /// Fingerprint of the shared object that the device process keeps.
    delivered: Mutex<Option<u64>>,
    pub(crate) turns: Turns,
}

/// A release that waits for the device.
type Kept = Box<dyn FnOnce(&Context) + Send>;

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

/// The contexts that exist, from before the device is set until its reset is through. The driver is
/// never called under this lock: a call that does not return must not hold up other devices, or a
/// wait with a limit.
static CONTEXTS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
/// An entry was removed, or its device is open now.
static ENTRIES_CHANGED: Condvar = Condvar::new();
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

struct Entry {
    libraries: *const Libraries,
    logical_id: u32,
    serial: u64,
    /// Dead while another thread is still opening the device, or already closing it.
    context: Weak<Context>,
}

// SAFETY: the pointer is compared, never followed.
unsafe impl Send for Entry {}

impl Context {
    /// Sets the device for the calling thread, which stays bound to it. Waits up to `limit` for a
    /// thread that is opening or closing it.
    ///
    /// # Errors
    ///
    /// The driver's refusal; [`PlatformError::DevicePoisoned`] when the process already holds the
    /// device and it is unusable, or when the other thread was not done within the limit.
    pub fn open(
        libraries: &'static Libraries,
        logical_id: u32,
        driver_id: u32,
        limit: Duration,
    ) -> Result<Arc<Self>> {
        let device = i32::try_from(logical_id).map_err(|_| PlatformError::Config {
            what: "device".to_owned(),
            reason: format!("{logical_id} is no device id"),
        })?;
        let serial = match Self::find_or_enter(libraries, logical_id, limit)? {
            Found::Open(context) => {
                context.check()?;
                context.bind_opener()?;
                return Ok(context);
            }
            Found::Entered(serial) => serial,
        };
        if let Err(error) = set_device(libraries, device) {
            remove_entry(serial);
            return Err(error);
        }
        let context = Arc::new(Self {
            libraries,
            logical_id,
            device,
            driver_id,
            serial,
            opened: AtomicU32::new(1),
            fault: OnceLock::new(),
            overdue: AtomicU32::new(0),
            left: Mutex::default(),
            kept: Mutex::default(),
            delivered: Mutex::new(None),
            turns: Turns::default(),
        });
        enter(serial);
        note_set(serial);
        let mut contexts = lock(&CONTEXTS);
        let mut entries = contexts.iter_mut();
        let entry = entries.find(|entry| entry.serial == serial);
        entry.expect("its own thread removes it").context = Arc::downgrade(&context);
        drop(contexts);
        ENTRIES_CHANGED.notify_all();
        Ok(context)
    }

    /// The open context of a device; where there is none, an entry for the caller to open it under.
    fn find_or_enter(
        libraries: &'static Libraries,
        logical_id: u32,
        limit: Duration,
    ) -> Result<Found> {
        let deadline = Instant::now() + limit;
        let mut contexts = lock(&CONTEXTS);
        forget_unless(|serial| contexts.iter().any(|entry| entry.serial == serial));
        loop {
            let entry = contexts.iter().find(|entry| {
                std::ptr::eq(entry.libraries, libraries) && entry.logical_id == logical_id
            });
            match entry.map(|entry| entry.context.upgrade()) {
                None => break,
                Some(Some(context)) => return Ok(Found::Open(context)),
                Some(None) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(PlatformError::DevicePoisoned {
                            device: logical_id,
                            cause: format!(
                                "another thread has been opening or closing it for {limit:?}"
                            ),
                        });
                    }
                    let woken = ENTRIES_CHANGED.wait_timeout(contexts, left);
                    contexts = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed);
        contexts.push(Entry {
            libraries,
            logical_id,
            serial,
            context: Weak::new(),
        });
        Ok(Found::Entered(serial))
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
                context.give_count_back();
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

    /// Notes that a wait has not seen the end of a stream.
    pub(crate) fn stream_is_overdue(&self) {
        self.overdue.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that an overdue stream was seen ended after all.
    pub(crate) fn stream_has_ended(&self) {
        if self.overdue.fetch_sub(1, Ordering::AcqRel) == 1 {
            let kept = mem::take(&mut *lock(&self.kept));
            for release in kept {
                release(self);
            }
        }
    }

    /// Releases what the device may hold: at once, unless a program may still use it.
    pub fn release(&self, release: impl FnOnce(&Self) + Send + 'static) {
        let mut kept = lock(&self.kept);
        if self.is_overdue() {
            kept.push(Box::new(release));
            return;
        }
        drop(kept);
        release(self);
    }

    /// Leaves memory to the reset of the device, since the driver would not give up its use of it.
    pub fn leave(&self, memory: DeviceAddress) {
        lock(&self.left).push(memory);
    }

    /// Whether memory was left to the reset.
    pub(crate) fn is_left(&self, memory: DeviceAddress) -> bool {
        lock(&self.left).contains(&memory)
    }

    /// Whether a program may still run.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Acquire) != 0
    }

    /// Takes one from the driver's count for a thread that leaves.
    fn give_count_back(&self) {
        if self.reset_once() == Reset::Refused {
            self.opened.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one from the driver's count.
    fn reset_once(&self) -> Reset {
        let Ok(function) = function!(self.libraries.runtime, rtDeviceReset) else {
            return Reset::NothingLeft;
        };
        // SAFETY: takes a number only.
        let code = unsafe { function(self.device) };
        note_reset();
        let Err(error) = runtime_result(self.libraries, "rtDeviceReset", code) else {
            return Reset::Taken;
        };
        if self.is_poisoned() {
            log::debug!("while leaving device {}: {error}", self.logical_id);
        } else {
            log::warn!("while leaving device {}: {error}", self.logical_id);
        }
        if code == CONTEXT_RELEASE {
            Reset::NothingLeft
        } else {
            Reset::Refused
        }
    }

    /// Gives back every count of this context; false when the driver keeps one.
    fn reset_all(&self) -> bool {
        for _ in 0..self.opened.load(Ordering::Relaxed) {
            match self.reset_once() {
                Reset::Taken => {}
                Reset::NothingLeft => return true,
                Reset::Refused => return false,
            }
        }
        true
    }

    /// Ends the device whatever its count; false when the driver cannot or will not.
    fn reset_force(&self) -> bool {
        let Some(Ok(function)) = self
            .libraries
            .acl
            .as_ref()
            .map(|acl| &acl.aclrtResetDeviceForce)
        else {
            return false;
        };
        for _ in 0..FORCED_RESETS {
            // SAFETY: takes a number only.
            let code = unsafe { function(self.device) };
            note_reset();
            if matches!(code, 0 | CONTEXT_RELEASE) {
                return true;
            }
            log::warn!(
                "aclrtResetDeviceForce of device {}: {code}",
                self.logical_id
            );
        }
        false
    }
}

/// What there is of a device that is to be opened.
enum Found {
    Open(Arc<Context>),
    /// The serial of the caller's entry: others wait until it is opened or removed.
    Entered(u64),
}

/// What became of one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    Taken,
    /// There was none, or there is no such function.
    NothingLeft,
    /// The driver keeps it.
    Refused,
}

impl Drop for Context {
    fn drop(&mut self) {
        // The entry stays until the reset is through: a thread that opens the device waits for that.
        let is_clear = lock(&self.kept).is_empty() && lock(&self.left).is_empty();
        let needs_force = self.is_poisoned() || !is_clear;
        let is_reset = needs_force && self.reset_force();
        if !is_reset && !self.reset_all() && !needs_force {
            self.reset_force();
        }
        remove_entry(self.serial);
    }
}

/// Lets the next thread open the device of an entry.
fn remove_entry(serial: u64) {
    let mut contexts = lock(&CONTEXTS);
    contexts.retain(|entry| entry.serial != serial);
    forget_unless(|serial| contexts.iter().any(|entry| entry.serial == serial));
    drop(contexts);
    ENTRIES_CHANGED.notify_all();
}

impl Drop for Binding<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.temporary {
            context.give_count_back();
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
