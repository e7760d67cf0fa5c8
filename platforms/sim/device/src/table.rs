//! The device table: the entries that programs call, for whichever agent calls.
//!
//! Each mode has a table of its own, made from how its agents act.
//!
//! # Errors
//!
//! A call from outside any agent (an initialiser, a thread of the program's own) has nobody to act
//! for, and ends the process.
//!
//! # Safety
//!
//! For the entries that take addresses: none is followed before the engine has checked it. For those
//! that take pointers: a pointer is null or valid for the call.

use crate::agent::Identity;
use crate::engine::Current;
use crate::loader::Loader;
use lanescope_abi::{Awaited, Checksum, DeviceTable};

/// What programs are given in virtual time.
pub static TABLE: DeviceTable = table::<Current>();

/// An agent, as the functions of the table act for it.
pub trait Acting {
    /// Does something for the agent that calls; `None` when no agent does.
    fn act<R>(does: impl FnOnce(&Self) -> R) -> Option<R>;
    /// See [`lanescope_abi::Device::load32`].
    fn load32(&self, address: u64) -> u32;
    /// See [`lanescope_abi::Device::load64`].
    fn load64(&self, address: u64) -> u64;
    /// See [`lanescope_abi::Device::store32`].
    fn store32(&self, address: u64, value: u32);
    /// See [`lanescope_abi::Device::store64`].
    fn store64(&self, address: u64, value: u64);
    /// See [`lanescope_abi::Device::clean`].
    fn clean(&self, address: u64);
    /// See [`lanescope_abi::Device::invalidate`].
    fn invalidate(&self, address: u64);
    /// See [`lanescope_abi::Device::barrier`]; takes a [`lanescope_abi::Barrier`] as a number.
    fn barrier(&self, barrier: u32);
    /// See [`lanescope_abi::Device::read_reg`].
    fn read_register(&self, address: u64) -> u32;
    /// See [`lanescope_abi::Device::write_reg`].
    fn write_register(&self, address: u64, value: u32);
    /// See [`lanescope_abi::Device::copy`].
    fn copy(&self, to: u64, from: u64, bytes: u64);
    /// See [`lanescope_abi::Device::copy_summed`].
    fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum);
    /// See [`lanescope_abi::Device::ticks`].
    fn ticks(&self) -> u64;
    /// See [`DeviceTable::call`].
    fn call(&self, kernel: u64, args: u64);
    /// See [`lanescope_abi::Device::relax`].
    fn relax(&self, awaited: &Awaited<'_>);
    /// Who it is.
    fn identity(&self) -> Identity;
    /// Where programs are stored.
    fn loader(&self) -> &Loader;
    /// Ends the agent: it did what cannot be done.
    fn fail(&self, text: String) -> !;
}

impl Acting for Current {
    #[inline]
    fn act<R>(does: impl FnOnce(&Self) -> R) -> Option<R> {
        Self::get().map(|current| does(&current))
    }

    #[inline]
    fn load32(&self, address: u64) -> u32 {
        self.engine.load32(self.agent, address)
    }

    #[inline]
    fn load64(&self, address: u64) -> u64 {
        self.engine.load64(self.agent, address)
    }

    #[inline]
    fn store32(&self, address: u64, value: u32) {
        self.engine.store32(self.agent, address, value);
    }

    #[inline]
    fn store64(&self, address: u64, value: u64) {
        self.engine.store64(self.agent, address, value);
    }

    #[inline]
    fn clean(&self, address: u64) {
        self.engine.clean(self.agent, address);
    }

    #[inline]
    fn invalidate(&self, address: u64) {
        self.engine.invalidate(self.agent, address);
    }

    #[inline]
    fn barrier(&self, _barrier: u32) {
        self.engine.barrier(self.agent);
    }

    #[inline]
    fn read_register(&self, address: u64) -> u32 {
        self.engine.read_register(self.agent, address)
    }

    #[inline]
    fn write_register(&self, address: u64, value: u32) {
        self.engine.write_register(self.agent, address, value);
    }

    fn copy(&self, to: u64, from: u64, bytes: u64) {
        self.engine.copy(self.agent, to, from, bytes);
    }

    fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
        self.engine
            .copy_summed(self.agent, to, from, bytes, checksum);
    }

    #[inline]
    fn ticks(&self) -> u64 {
        self.engine.ticks(self.agent)
    }

    #[inline]
    fn call(&self, kernel: u64, args: u64) {
        self.engine.call(self.agent, kernel, args);
    }

    #[inline]
    fn relax(&self, awaited: &Awaited<'_>) {
        self.engine.relax(self.agent, awaited);
    }

    fn identity(&self) -> Identity {
        self.engine.count_free_call(self.agent);
        self.agent.identity.get()
    }

    fn loader(&self) -> &Loader {
        self.engine.count_free_call(self.agent);
        &self.engine.loader
    }

    #[cold]
    fn fail(&self, text: String) -> ! {
        self.engine.fail(self.agent, text)
    }
}

/// The table of a mode.
#[must_use]
pub const fn table<A: Acting>() -> DeviceTable {
    DeviceTable {
        table_bytes: size_of::<DeviceTable>() as u64,
        load32: load32::<A>,
        load64: load64::<A>,
        store32: store32::<A>,
        store64: store64::<A>,
        clean: clean::<A>,
        invalidate: invalidate::<A>,
        barrier: barrier::<A>,
        read_reg: read_reg::<A>,
        write_reg: write_reg::<A>,
        copy: copy::<A>,
        ticks: ticks::<A>,
        call: call::<A>,
        relax: relax::<A>,
        core_index: core_index::<A>,
        physical_core: physical_core::<A>,
        store_program: store_program::<A>,
        copy_summed: copy_summed::<A>,
    }
}

#[inline]
fn act<A: Acting, R>(does: impl FnOnce(&A) -> R) -> R {
    match A::act(does) {
        Some(result) => result,
        None => std::process::abort(),
    }
}

unsafe extern "C" fn load32<A: Acting>(address: u64) -> u32 {
    act(|agent: &A| agent.load32(address))
}

unsafe extern "C" fn load64<A: Acting>(address: u64) -> u64 {
    act(|agent: &A| agent.load64(address))
}

unsafe extern "C" fn store32<A: Acting>(address: u64, value: u32) {
    act(|agent: &A| agent.store32(address, value));
}

unsafe extern "C" fn store64<A: Acting>(address: u64, value: u64) {
    act(|agent: &A| agent.store64(address, value));
}

extern "C" fn clean<A: Acting>(address: u64) {
    act(|agent: &A| agent.clean(address));
}

extern "C" fn invalidate<A: Acting>(address: u64) {
    act(|agent: &A| agent.invalidate(address));
}

extern "C" fn barrier<A: Acting>(barrier: u32) {
    act(|agent: &A| agent.barrier(barrier));
}

unsafe extern "C" fn read_reg<A: Acting>(address: u64) -> u32 {
    act(|agent: &A| agent.read_register(address))
}

unsafe extern "C" fn write_reg<A: Acting>(address: u64, value: u32) {
    act(|agent: &A| agent.write_register(address, value));
}

unsafe extern "C" fn copy<A: Acting>(to: u64, from: u64, bytes: u64) {
    act(|agent: &A| agent.copy(to, from, bytes));
}

unsafe extern "C" fn copy_summed<A: Acting>(
    to: u64,
    from: u64,
    bytes: u64,
    checksum: *mut Checksum,
) {
    act(|agent: &A| {
        // SAFETY: null, or a checksum of the program that is valid for the call.
        match unsafe { checksum.as_mut() } {
            Some(checksum) => agent.copy_summed(to, from, bytes, checksum),
            None => agent.fail("copied with a checksum at no place".to_owned()),
        }
    });
}

extern "C" fn ticks<A: Acting>() -> u64 {
    act(|agent: &A| agent.ticks())
}

unsafe extern "C" fn call<A: Acting>(kernel: u64, args: u64) {
    act(|agent: &A| agent.call(kernel, args));
}

unsafe extern "C" fn relax<A: Acting>(awaited: *const Awaited<'_>) {
    // SAFETY: the program passes a wait that outlives the call; null is refused.
    let awaited = unsafe { awaited.as_ref() };
    act(|agent: &A| match awaited {
        Some(awaited) => agent.relax(awaited),
        None => agent.fail("awaited nothing: null".to_owned()),
    });
}

extern "C" fn core_index<A: Acting>() -> u32 {
    act(|agent: &A| match agent.identity() {
        Identity::Core { index, .. } => index,
        Identity::Thread { .. } => agent.fail("asked for its core index".to_owned()),
    })
}

extern "C" fn physical_core<A: Acting>() -> u32 {
    act(|agent: &A| match agent.identity() {
        Identity::Core { physical, .. } => physical,
        Identity::Thread { .. } => agent.fail("asked for its physical core".to_owned()),
    })
}

/// `EINVAL`.
const INVALID_ARGUMENT: i32 = 22;

unsafe extern "C" fn store_program<A: Acting>(
    name: *const u8,
    name_bytes: u64,
    data: *const u8,
    data_bytes: u64,
) -> i32 {
    // SAFETY: the dispatcher passes a name of that length that outlives the call.
    let name = unsafe { bytes(name, name_bytes) };
    // SAFETY: the dispatcher passes data of that length that outlive the call.
    let data = unsafe { bytes(data, data_bytes) };
    let (Some(Ok(name)), Some(data)) = (name.map(str::from_utf8), data) else {
        return INVALID_ARGUMENT;
    };
    if name.is_empty() || name.contains('/') || data.is_empty() {
        return INVALID_ARGUMENT;
    }
    act(|agent: &A| agent.loader().store_file(name, data));
    0
}

/// A range as a slice; `None` for null.
///
/// # Safety
///
/// - Unless null, `pointer` is valid for reads of `length` bytes for `'a`.
unsafe fn bytes<'a>(pointer: *const u8, length: u64) -> Option<&'a [u8]> {
    if pointer.is_null() {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    // SAFETY: not null, so valid for reads of `length` bytes during 'a.
    Some(unsafe { std::slice::from_raw_parts(pointer, length) })
}
