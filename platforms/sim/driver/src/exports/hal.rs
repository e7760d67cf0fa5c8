//! The functions of `libascend_hal.so`. Device ids are the driver's, codes the lower driver's own.
//!
//! # Safety
//!
//! For all of them: a pointer is null or valid for what the vendor's function does with it.

use super::enter_hal;
use super::pointer::{non_null, read, write};
use crate::allocation::PAGE;
use crate::calls::Call;
use crate::codes::{Result, hal, refuse, require};
use crate::device::Device;
use crate::vendor::{AddressMapIn, AddressMapOut, ResourceMap};
use lanescope_abi::chip::AIV_PER_CLUSTER;
use lanescope_abi::{Chip, CoreType};
use lanescope_sim_wire::{
    CLUSTERS_A5_PER_DIE, CUBE_CORES_A2A3, RegisterPage, aicore_occupancy, register_page,
    register_window,
};
use std::ffi::c_void;
use std::sync::Arc;

/// The one map type that is simulated: device memory, seen by the host.
const MAP_DEVICE_MEMORY: u32 = 2;
/// The map type is the low half of the flag word.
const MAP_TYPE_BITS: u32 = 0xFFFF;

const MAP: i32 = 0;
const UNMAP: i32 = 1;

const RESOURCE_AICORE: u32 = 0;

const MODULE_AICPU: i32 = 1;
const MODULE_AICORE: i32 = 4;
const MODULE_VECTOR_CORE: i32 = 7;
const INFO_CORE_NUM: i32 = 3;
const INFO_OCCUPY: i32 = 8;

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halHostRegister(
    source: *mut c_void,
    size: u64,
    flag: u32,
    device: u32,
    host: *mut *mut c_void,
) -> i32 {
    enter_hal(Call::halHostRegister, |driver| {
        non_null(host, hal::INVALID_VALUE, "dst_ptr")?;
        require(size > 0, hal::PARA_ERROR, "size is 0")?;
        let map_type = flag & MAP_TYPE_BITS;
        require(
            map_type == MAP_DEVICE_MEMORY,
            hal::NOT_SUPPORTED,
            format_args!("map type {map_type}, only {MAP_DEVICE_MEMORY} is simulated"),
        )?;
        require(
            driver.chip() == Chip::A2a3,
            hal::NOT_SUPPORTED,
            "the host cannot map the memory of this chip",
        )?;
        let device = open_device(driver.device_by_driver_id(device)?)?;
        let address = source.addr() as u64;
        require(
            address.is_multiple_of(PAGE),
            hal::PARA_ERROR,
            format_args!("{address:#x} is not a multiple of {PAGE}"),
        )?;
        let pointer = device.give_back(|open| {
            require(
                open.allocations.contain(address, size),
                hal::PARA_ERROR,
                format_args!("{size} bytes at {address:#x} are not inside one allocation"),
            )?;
            open.registrations.check(address)?;
            let view = open.memory.view(address - device.first_address(), size);
            let view = view.map_err(|error| refuse(hal::OUT_OF_MEMORY, error))?;
            Ok(open.registrations.add(address, view))
        })?;
        // SAFETY: `host` is one of the caller's, see the module's safety section.
        unsafe { write(host, pointer.cast(), hal::INVALID_VALUE, "dst_ptr") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halHostUnregister(source: *mut c_void, device: u32) -> i32 {
    enter_hal(Call::halHostUnregister, |driver| {
        unregister(driver.device_by_driver_id(device)?, source.addr() as u64)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halHostUnregisterEx(source: *mut c_void, device: u32, flag: u32) -> i32 {
    enter_hal(Call::halHostUnregisterEx, |driver| {
        require(
            flag & MAP_TYPE_BITS == MAP_DEVICE_MEMORY,
            hal::NOT_SUPPORTED,
            format_args!("map type {}", flag & MAP_TYPE_BITS),
        )?;
        unregister(driver.device_by_driver_id(device)?, source.addr() as u64)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halMemCtl(
    control: i32,
    input: *const c_void,
    input_bytes: usize,
    output: *mut c_void,
    output_bytes: *mut usize,
) -> i32 {
    enter_hal(Call::halMemCtl, |driver| {
        require(
            driver.chip() == Chip::A2a3 && matches!(control, MAP | UNMAP),
            hal::NOT_SUPPORTED,
            format_args!("control {control} on this chip"),
        )?;
        require(
            input_bytes == size_of::<AddressMapIn>(),
            hal::INVALID_VALUE,
            format_args!("{input_bytes} bytes of parameters"),
        )?;
        // SAFETY: `input` is one of the caller's and as long as it says.
        let asked = unsafe { read(input.cast::<AddressMapIn>(), hal::INVALID_VALUE, "in") }?;
        non_null(output, hal::INVALID_VALUE, "out")?;
        let device = driver
            .device_by_driver_id(asked.device)
            .map_err(|refusal| {
                if refusal.code == hal::INVALID_DEVICE {
                    refuse(hal::INVALID_VALUE, refusal)
                } else {
                    refusal
                }
            })?;
        open_device(device)?;
        if control == UNMAP {
            return Ok(());
        }
        let page = RegisterPage::from_raw(asked.page).ok_or_else(|| {
            refuse(
                hal::INVALID_VALUE,
                format_args!("address type {}", asked.page),
            )
        })?;
        let (address, bytes) = register_page(page);
        let answer = AddressMapOut { address, bytes };
        // SAFETY: `output` is one of the caller's, see the module's safety section.
        unsafe { write(output.cast(), answer, hal::INVALID_VALUE, "out") }?;
        if !output_bytes.is_null() {
            // SAFETY: `output_bytes` is one of the caller's, see the module's safety section.
            unsafe {
                write(
                    output_bytes,
                    size_of::<AddressMapOut>(),
                    hal::INVALID_VALUE,
                    "",
                )
            }?;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halResMap(
    device: u32,
    resource: *const ResourceMap,
    address: *mut u64,
    length: *mut u32,
) -> i32 {
    enter_hal(Call::halResMap, |driver| {
        non_null(address, hal::PARA_ERROR, "va")?;
        non_null(length, hal::PARA_ERROR, "len")?;
        // SAFETY: `resource` is one of the caller's, see the module's safety section.
        let cube = unsafe { aicore_resource(driver.chip(), resource) }?;
        let device = driver.device_by_driver_id(device)?;
        require(
            device.is_alive() && device.poison().is_none(),
            hal::NO_PROCESS,
            "the device has no process that answers",
        )?;
        let window = register_window(Chip::A5, cube, CoreType::Aic, 0).ok_or_else(|| {
            refuse(
                hal::PARA_ERROR,
                format_args!("there is no cube core {cube}"),
            )
        })?;
        let bytes = u32::try_from(Chip::A5.info().registers.core_stride_bytes)
            .expect("a window is a few MiB");
        device.give_back(|open| {
            open.resources.insert(cube);
            Ok(())
        })?;
        // SAFETY: `address` is one of the caller's, see the module's safety section.
        unsafe { write(address, window, hal::PARA_ERROR, "va") }?;
        // SAFETY: `length` is one of the caller's, see the module's safety section.
        unsafe { write(length, bytes, hal::PARA_ERROR, "len") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halResUnmap(device: u32, resource: *const ResourceMap) -> i32 {
    enter_hal(Call::halResUnmap, |driver| {
        // SAFETY: `resource` is one of the caller's, see the module's safety section.
        let cube = unsafe { aicore_resource(driver.chip(), resource) }?;
        driver.device_by_driver_id(device)?.give_back(|open| {
            require(
                open.resources.remove(&cube),
                hal::NOT_EXIST,
                format_args!("cube core {cube} is not mapped"),
            )
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halGetDeviceInfo(
    device: u32,
    module: i32,
    info: i32,
    value: *mut i64,
) -> i32 {
    enter_hal(Call::halGetDeviceInfo, |driver| {
        non_null(value, hal::INVALID_VALUE, "value")?;
        driver.device_by_driver_id(device)?;
        let number = device_info(driver.chip(), module, info)?;
        let number = i64::try_from(number).expect("chips have fewer than 63 cores of a kind");
        // SAFETY: `value` is one of the caller's, see the module's safety section.
        unsafe { write(value, number, hal::INVALID_VALUE, "value") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_halGetDeviceInfoByBuff(
    device: u32,
    module: i32,
    info: i32,
    buffer: *mut c_void,
    size: *mut i32,
) -> i32 {
    enter_hal(Call::halGetDeviceInfoByBuff, |driver| {
        const BYTES: i32 = 16;
        non_null(buffer, hal::INVALID_VALUE, "buf")?;
        // SAFETY: `size` is one of the caller's, see the module's safety section.
        let room = unsafe { read(size, hal::INVALID_VALUE, "size") }?;
        driver.device_by_driver_id(device)?;
        require(
            (module, info) == (MODULE_AICORE, INFO_OCCUPY),
            hal::NOT_SUPPORTED,
            format_args!("info {info} of module {module}"),
        )?;
        require(
            room >= BYTES,
            hal::INVALID_VALUE,
            format_args!("room for {room} bytes, {BYTES} needed"),
        )?;
        let mask = [aicore_occupancy(driver.chip()), 0];
        // SAFETY: `buffer` is one of the caller's and as long as it says.
        unsafe { write(buffer.cast(), mask, hal::INVALID_VALUE, "buf") }?;
        // SAFETY: `size` is one of the caller's, see the module's safety section.
        unsafe { write(size, BYTES, hal::INVALID_VALUE, "size") }
    })
}

/// Usable AICPU cores, a bit each, as the host sees them.
pub(super) const fn aicpu_occupancy(chip: Chip) -> u64 {
    match chip {
        Chip::A2a3 => 0xFC,
        Chip::A5 => 0x1FE,
    }
}

fn device_info(chip: Chip, module: i32, info: i32) -> Result<u64> {
    let cubes = match chip {
        Chip::A2a3 => CUBE_CORES_A2A3,
        Chip::A5 => 2 * CLUSTERS_A5_PER_DIE,
    };
    match (module, info) {
        (MODULE_AICPU, INFO_OCCUPY) => Ok(aicpu_occupancy(chip)),
        (MODULE_AICPU, INFO_CORE_NUM) => Ok(aicpu_occupancy(chip).count_ones().into()),
        (MODULE_AICORE, INFO_OCCUPY) => Ok(aicore_occupancy(chip)),
        (MODULE_AICORE, INFO_CORE_NUM) => Ok(cubes.into()),
        (MODULE_VECTOR_CORE, INFO_CORE_NUM) => Ok((cubes * AIV_PER_CLUSTER).into()),
        _ => Err(refuse(
            hal::NOT_SUPPORTED,
            format_args!("info {info} of module {module}"),
        )),
    }
}

/// A device that this process has set.
fn open_device(device: &Arc<Device>) -> Result<&Arc<Device>> {
    require(
        device.is_open(),
        hal::INVALID_HANDLE,
        format_args!(
            "the device with the driver's id {} is not set in this process",
            device.driver_id()
        ),
    )?;
    require(
        device.is_alive(),
        hal::PROCESS_EXIT,
        "the device process has ended",
    )?;
    Ok(device)
}

/// Ends a registration; also one of a device whose process has ended, since the view is the host's.
fn unregister(device: &Arc<Device>, address: u64) -> Result<()> {
    let mut state = device.lock();
    match state.any_opening() {
        Some(open) => open.registrations.remove(address),
        None => Err(refuse(
            hal::NOT_EXIST,
            "the device is not set in this process",
        )),
    }
}

/// The cube core a resource description asks for.
///
/// # Safety
///
/// - `resource` is null or points to a description.
unsafe fn aicore_resource(chip: Chip, resource: *const ResourceMap) -> Result<u32> {
    // SAFETY: the caller vouches for `resource`.
    let asked = unsafe { read(resource, hal::PARA_ERROR, "res_info") }?;
    let plain = asked.process == 0 && asked.flag == 0 && asked.reserved == 0;
    require(
        chip == Chip::A5 && plain && asked.resource == RESOURCE_AICORE,
        hal::NOT_SUPPORTED,
        format_args!("{asked:?} on this chip"),
    )?;
    Ok(asked.id)
}
