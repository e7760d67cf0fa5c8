//! The chip in miniature behind a device table, as the simulated driver would bind it.
//!
//! # Safety
//!
//! For the functions of the table: the device checks every address; pointers are valid for the call.

use crate::support::TestDevice;
use lanescope_abi::launch::AicpuArgs;
use lanescope_abi::{Awaited, Barrier, Checksum, Device, DeviceTable};
use std::path::Path;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The device that the table's functions act on.
static DEVICE: AtomicPtr<TestDevice> = AtomicPtr::new(ptr::null_mut());

/// One program runs at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Loads a program, binds the table and runs its entry as one AICPU thread.
pub fn run(program: &Path, device: &TestDevice) -> i32 {
    let _turn = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    DEVICE.store(ptr::from_ref(device).cast_mut(), Ordering::Release);
    // SAFETY: the program was just built; it has no constructors of its own.
    let library = unsafe { libloading::Library::new(program) }.expect("the program loads");
    type Bind = unsafe extern "C" fn(*const DeviceTable) -> i32;
    type Entry = unsafe extern "C" fn(*const AicpuArgs) -> i32;
    // SAFETY: the entry has this type.
    let bind = unsafe { library.get::<Bind>(b"lanescope_bind\0") }.expect("it can be bound");
    // SAFETY: the entry has this type.
    let entry = unsafe { library.get::<Entry>(b"DynTileFwkBackendKernelServer\0") };
    let entry = entry.expect("it has the vendor's entry");
    // SAFETY: the entry has this type.
    let ours = unsafe { library.get::<Entry>(b"lanescope_record_attach\0") };
    assert!(ours.is_ok(), "the static library is linked in");
    // SAFETY: the table is a static.
    let bound = unsafe { bind(&raw const SHORT) };
    assert_eq!(bound, 22, "a short table is refused");
    // SAFETY: the table is a static.
    assert_eq!(unsafe { bind(&raw const TABLE) }, 0);
    let args = AicpuArgs {
        control_address: device.world().memory.base(),
        ..AicpuArgs::default()
    };
    // SAFETY: the control region outlives the run.
    unsafe { entry(&raw const args) }
}

static TABLE: DeviceTable = table(size_of::<DeviceTable>() as u64);
static SHORT: DeviceTable = table(8);

const fn table(table_bytes: u64) -> DeviceTable {
    DeviceTable {
        table_bytes,
        load32,
        load64,
        store32,
        store64,
        clean,
        invalidate,
        barrier,
        read_reg,
        write_reg,
        copy,
        ticks,
        call,
        relax,
        core_index,
        physical_core,
        store_program,
        copy_summed,
    }
}

fn device() -> &'static TestDevice {
    // SAFETY: `run` keeps the device while the program runs.
    unsafe { DEVICE.load(Ordering::Acquire).as_ref() }.expect("a device is set")
}

unsafe extern "C" fn load32(address: u64) -> u32 {
    // SAFETY: the device checks every address.
    unsafe { device().load32(address) }
}

unsafe extern "C" fn load64(address: u64) -> u64 {
    // SAFETY: the device checks every address.
    unsafe { device().load64(address) }
}

unsafe extern "C" fn store32(address: u64, value: u32) {
    // SAFETY: the device checks every address.
    unsafe { device().store32(address, value) };
}

unsafe extern "C" fn store64(address: u64, value: u64) {
    // SAFETY: the device checks every address.
    unsafe { device().store64(address, value) };
}

extern "C" fn clean(address: u64) {
    device().clean(address);
}

extern "C" fn invalidate(address: u64) {
    device().invalidate(address);
}

extern "C" fn barrier(_: u32) {
    device().barrier(Barrier::Store);
}

unsafe extern "C" fn read_reg(address: u64) -> u32 {
    // SAFETY: the device checks every address.
    unsafe { device().read_reg(address) }
}

unsafe extern "C" fn copy(to: u64, from: u64, bytes: u64) {
    // SAFETY: the program asks for what it attached.
    unsafe { device().copy(to, from, bytes) };
}

unsafe extern "C" fn copy_summed(to: u64, from: u64, bytes: u64, checksum: *mut Checksum) {
    // SAFETY: the program gives a pointer that is valid for the call.
    let checksum = unsafe { checksum.as_mut() }.expect("a checksum");
    // SAFETY: the program asks for what it attached.
    unsafe { device().copy_summed(to, from, bytes, checksum) };
}

unsafe extern "C" fn write_reg(address: u64, value: u32) {
    // SAFETY: the device checks every address.
    unsafe { device().write_reg(address, value) };
}

extern "C" fn ticks() -> u64 {
    device().ticks()
}

unsafe extern "C" fn relax(awaited: *const Awaited<'_>) {
    // SAFETY: the program gives a pointer that is valid for the call.
    let awaited = unsafe { awaited.as_ref() }.expect("relax says what is awaited");
    device().relax(awaited);
}

unsafe extern "C" fn call(_: u64, _: u64) {
    panic!("only cores call kernels");
}

extern "C" fn core_index() -> u32 {
    panic!("only cores ask for their index");
}

extern "C" fn physical_core() -> u32 {
    panic!("only cores ask for their index");
}

unsafe extern "C" fn store_program(_: *const u8, _: u64, _: *const u8, _: u64) -> i32 {
    panic!("only the dispatcher stores programs");
}
