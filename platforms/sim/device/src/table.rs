//! The device table: the entries that programs call, for whichever agent runs.
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
use lanescope_abi::{Awaited, DeviceTable};

/// What `lanescope_bind` is given.
pub static TABLE: DeviceTable = DeviceTable {
    table_bytes: size_of::<DeviceTable>() as u64,
    load32,
    load64,
    store32,
    store64,
    clean,
    invalidate,
    barrier,
    read_reg,
    write_reg,
    ticks,
    call,
    relax,
    core_index,
    physical_core,
    store_program,
};

#[inline]
fn current() -> Current {
    match Current::get() {
        Some(current) => current,
        None => std::process::abort(),
    }
}

unsafe extern "C" fn load32(address: u64) -> u32 {
    let Current { engine, agent } = current();
    engine.load32(agent, address)
}

unsafe extern "C" fn load64(address: u64) -> u64 {
    let Current { engine, agent } = current();
    engine.load64(agent, address)
}

unsafe extern "C" fn store32(address: u64, value: u32) {
    let Current { engine, agent } = current();
    engine.store32(agent, address, value);
}

unsafe extern "C" fn store64(address: u64, value: u64) {
    let Current { engine, agent } = current();
    engine.store64(agent, address, value);
}

extern "C" fn clean(address: u64) {
    let Current { engine, agent } = current();
    engine.clean(agent, address);
}

extern "C" fn invalidate(address: u64) {
    let Current { engine, agent } = current();
    engine.invalidate(agent, address);
}

extern "C" fn barrier(_barrier: u32) {
    let Current { engine, agent } = current();
    engine.barrier(agent);
}

unsafe extern "C" fn read_reg(address: u64) -> u32 {
    let Current { engine, agent } = current();
    engine.read_register(agent, address)
}

unsafe extern "C" fn write_reg(address: u64, value: u32) {
    let Current { engine, agent } = current();
    engine.write_register(agent, address, value);
}

extern "C" fn ticks() -> u64 {
    let Current { engine, agent } = current();
    engine.ticks(agent)
}

unsafe extern "C" fn call(kernel: u64, args: u64) {
    let Current { engine, agent } = current();
    engine.call(agent, kernel, args);
}

unsafe extern "C" fn relax(awaited: *const Awaited<'_>) {
    let Current { engine, agent } = current();
    // SAFETY: the program passes a wait that outlives the call; null is refused.
    match unsafe { awaited.as_ref() } {
        Some(awaited) => engine.relax(agent, awaited),
        None => engine.fail(agent, "awaited nothing: null".to_owned()),
    }
}

extern "C" fn core_index() -> u32 {
    let Current { engine, agent } = current();
    engine.count_free_call(agent);
    match agent.identity.get() {
        Identity::Core { index, .. } => index,
        Identity::Thread { .. } => engine.fail(agent, "asked for its core index".to_owned()),
    }
}

extern "C" fn physical_core() -> u32 {
    let Current { engine, agent } = current();
    engine.count_free_call(agent);
    match agent.identity.get() {
        Identity::Core { physical, .. } => physical,
        Identity::Thread { .. } => engine.fail(agent, "asked for its physical core".to_owned()),
    }
}

/// `EINVAL`.
const INVALID_ARGUMENT: i32 = 22;

unsafe extern "C" fn store_program(
    name: *const u8,
    name_bytes: u64,
    data: *const u8,
    data_bytes: u64,
) -> i32 {
    let Current { engine, agent } = current();
    engine.count_free_call(agent);
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
    let mut files = engine.files.borrow_mut();
    files.insert(name.to_owned(), data.to_vec());
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
