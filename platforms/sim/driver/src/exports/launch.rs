//! The functions of `libruntime.so` for programs and launches.
//!
//! # Safety
//!
//! For all of them: a pointer is null or valid for what the vendor's function does with it.

use super::enter;
use super::hal::aicpu_occupancy;
use super::pointer::{bytes, non_null, read, text, write};
use super::runtime::find_stream;
use crate::calls::Call;
use crate::codes::{
    INTERNAL, INVALID_HANDLE, KERNEL_LOOKUP, MEMORY_ALLOCATION, NOT_SUPPORTED, PARAM_INVALID,
    Result, STREAM_CONTEXT, refuse, require,
};
use crate::driver::Driver;
use crate::handle::{Handle, Kind};
use crate::open::handle;
use crate::program::{Binary, Kernel, POOL_CAPACITY, check_magic};
use crate::vendor::{
    AicpuArgsEx, ArgsEx, CpuKernelArgs, DevBinary, LoadBinaryConfig, LoadBinaryOption,
};
use lanescope_sim_wire::HostFrame;
use std::ffi::{c_char, c_void};

/// Longest argument list of a launch.
const MAX_ARGS_BYTES: u32 = 1 << 20;
/// Longest binary.
const MAX_IMAGE_BYTES: u64 = 32 << 20;
/// First number of blocks that `rtAicpuKernelLaunchExWithArgs` refuses.
const BLOCKS_END: u32 = 65536;
/// The kernel types of `rtAicpuKernelLaunchExWithArgs`.
const KERNEL_TYPES: [u32; 4] = [1, 2, 4, 5];
/// The load option that says what a file is, and the mode in which it is JSON alone.
const LOAD_OPTION_MODE: u32 = 3;
const LOAD_MODE_JSON: u32 = 0;

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtRegisterAllKernel(
    binary: *const DevBinary,
    kernel: *mut *mut c_void,
) -> i32 {
    enter(Call::rtRegisterAllKernel, |driver| {
        // SAFETY: `binary` is one of the caller's, see the module's safety section.
        let binary = unsafe { read(binary, PARAM_INVALID, "bin") }?;
        non_null(kernel, PARAM_INVALID, "hdl")?;
        check_magic(binary.magic)?;
        require(
            (1..=MAX_IMAGE_BYTES).contains(&binary.length),
            PARAM_INVALID,
            format_args!("a binary of {} bytes", binary.length),
        )?;
        let length = usize::try_from(binary.length).expect("a length below the limit");
        // SAFETY: the caller vouches for `length` bytes of data.
        let image = unsafe { bytes(binary.data, length, "bin->data") }?;
        let (device, current) = driver.current()?;
        let handle = Handle::new(Kind::Kernel, current.device);
        device.with_healthy(current.generation, |open| {
            require(
                open.kernels.len() < POOL_CAPACITY,
                MEMORY_ALLOCATION,
                format_args!("{POOL_CAPACITY} binaries are registered, no more fit"),
            )?;
            let kernel = Kernel {
                image: image.into(),
                loaded: false,
            };
            open.kernels.insert(handle.serial, kernel);
            Ok(())
        })?;
        // SAFETY: `kernel` is one of the caller's, see the module's safety section.
        unsafe { write(kernel, handle.to_pointer(), PARAM_INVALID, "hdl") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtDevBinaryUnRegister(kernel: *mut c_void) -> i32 {
    enter(Call::rtDevBinaryUnRegister, |driver| {
        non_null(kernel, PARAM_INVALID, "hdl")?;
        let handle = handle(Kind::Kernel, kernel)?;
        let device = driver.device_of(handle)?;
        let loaded = device.give_back(|open| {
            let loaded = open.kernel(handle)?.loaded;
            open.kernels.remove(&handle.serial);
            Ok(loaded)
        })?;
        if loaded {
            device.tell(&HostFrame::UnloadAicore {
                handle: handle.serial.into(),
            });
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtKernelLaunchWithHandleV2(
    kernel: *mut c_void,
    tiling_key: u64,
    blocks: u32,
    args: *const ArgsEx,
    _sm: *mut c_void,
    stream: *mut c_void,
    _config: *const c_void,
) -> i32 {
    enter(Call::rtKernelLaunchWithHandleV2, |driver| {
        // SAFETY: `args` is one of the caller's, see the module's safety section.
        let info = unsafe { read(args, PARAM_INVALID, "argsInfo") }?;
        let clusters = driver.chip().info().max_clusters;
        require(
            (1..=clusters).contains(&blocks),
            PARAM_INVALID,
            format_args!("numBlocks is {blocks}, 1..={clusters} expected"),
        )?;
        // SAFETY: the caller vouches for the argument bytes.
        let args = unsafe { launch_args(info.args, info.args_bytes, info.args_on_device) }?;
        let kernel = handle(Kind::Kernel, kernel)?;
        let (stream, generation) = stream_of_this_thread(driver, stream)?;
        let device = driver.device_of(stream)?;
        device.launch(generation, stream, |open, stream, task| {
            let program = open.kernel(kernel)?;
            let mut frames = Vec::new();
            if !std::mem::replace(&mut program.loaded, true) {
                frames.push(HostFrame::LoadAicore {
                    handle: kernel.serial.into(),
                    image: program.image.to_vec(),
                });
            }
            frames.push(HostFrame::LaunchAicore {
                stream,
                task,
                handle: kernel.serial.into(),
                tiling_key,
                blocks,
                args,
            });
            Ok(frames)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtAicpuKernelLaunchExWithArgs(
    kernel_type: u32,
    op_name: *const c_char,
    blocks: u32,
    args: *const AicpuArgsEx,
    _sm: *mut c_void,
    stream: *mut c_void,
    _flags: u32,
) -> i32 {
    enter(Call::rtAicpuKernelLaunchExWithArgs, |driver| {
        require(
            KERNEL_TYPES.contains(&kernel_type),
            PARAM_INVALID,
            format_args!("kernelType is {kernel_type}, one of {KERNEL_TYPES:?} expected"),
        )?;
        non_null(op_name, PARAM_INVALID, "opName")?;
        check_aicpu_blocks(driver, blocks)?;
        // SAFETY: `args` is one of the caller's, see the module's safety section.
        let info = unsafe { read(args, PARAM_INVALID, "argsInfo") }?;
        // SAFETY: the caller vouches for the argument bytes.
        let args = unsafe { launch_args(info.args, info.args_bytes, info.args_on_device) }?;
        let so_name = name_in(&args, info.so_name_offset, "soNameAddrOffset")?;
        let kernel_name = name_in(&args, info.kernel_name_offset, "kernelNameAddrOffset")?;
        let (stream, generation) = stream_of_this_thread(driver, stream)?;
        let device = driver.device_of(stream)?;
        device.launch(generation, stream, |_, stream, task| {
            Ok(vec![HostFrame::LaunchAicpu {
                stream,
                task,
                so_name,
                kernel_name,
                blocks,
                args,
            }])
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtsBinaryLoadFromFile(
    path: *const c_char,
    config: *const LoadBinaryConfig,
    binary: *mut *mut c_void,
) -> i32 {
    enter(Call::rtsBinaryLoadFromFile, |driver| {
        // SAFETY: `path` is one of the caller's, see the module's safety section.
        let path = unsafe { text(path, "binPath") }?;
        non_null(binary, PARAM_INVALID, "handle")?;
        // SAFETY: `config` is one of the caller's, see the module's safety section.
        unsafe { check_load_mode(config) }?;
        let unreadable =
            |why: &dyn std::fmt::Display| refuse(PARAM_INVALID, format_args!("{path}: {why}"));
        let json = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        let loaded = Binary::parse(&json).map_err(|refusal| unreadable(&refusal))?;
        let (device, current) = driver.current()?;
        let handle = Handle::new(Kind::Binary, current.device);
        device.with_healthy(current.generation, |open| {
            open.binaries.insert(handle.serial, loaded);
            Ok(())
        })?;
        // SAFETY: `binary` is one of the caller's, see the module's safety section.
        unsafe { write(binary, handle.to_pointer(), PARAM_INVALID, "handle") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtsBinaryUnload(binary: *mut c_void) -> i32 {
    enter(Call::rtsBinaryUnload, |driver| {
        non_null(binary, PARAM_INVALID, "binHandle")?;
        let handle = handle(Kind::Binary, binary)?;
        driver.device_of(handle)?.give_back(|open| {
            let gone = || refuse(INVALID_HANDLE, "no such file is loaded on this device");
            open.binaries
                .remove(&handle.serial)
                .map(drop)
                .ok_or_else(gone)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtsFuncGetByName(
    binary: *mut c_void,
    name: *const c_char,
    function: *mut *mut c_void,
) -> i32 {
    enter(Call::rtsFuncGetByName, |driver| {
        non_null(binary, PARAM_INVALID, "binHandle")?;
        // SAFETY: `name` is one of the caller's, see the module's safety section.
        let name = unsafe { text(name, "kernelName") }?;
        non_null(function, PARAM_INVALID, "funcHandle")?;
        let owner = handle(Kind::Binary, binary)?;
        let (_, current) = driver.current()?;
        let found = Handle::new(Kind::Function, owner.device);
        driver.device_of(owner)?.with(current.generation, |open| {
            let gone = || refuse(INVALID_HANDLE, "no such file is loaded on this device");
            let binary = open.binaries.get_mut(&owner.serial).ok_or_else(gone)?;
            let function = binary.function(name).cloned().ok_or_else(|| {
                refuse(
                    KERNEL_LOOKUP,
                    format_args!("the file names no kernel {name:?}"),
                )
            })?;
            binary.handles.insert(found.serial, function);
            Ok(())
        })?;
        // SAFETY: `function` is one of the caller's, see the module's safety section.
        unsafe { write(function, found.to_pointer(), PARAM_INVALID, "funcHandle") }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sim_rtsLaunchCpuKernel(
    function: *mut c_void,
    blocks: u32,
    stream: *mut c_void,
    _config: *const c_void,
    args: *const CpuKernelArgs,
) -> i32 {
    enter(Call::rtsLaunchCpuKernel, |driver| {
        non_null(function, PARAM_INVALID, "funcHandle")?;
        check_aicpu_blocks(driver, blocks)?;
        // SAFETY: `args` is one of the caller's, see the module's safety section.
        let info = unsafe { read(args, PARAM_INVALID, "argsInfo") }?.base;
        // SAFETY: the caller vouches for the argument bytes.
        let args = unsafe { launch_args(info.args, info.args_bytes, info.args_on_device) }?;
        let function = handle(Kind::Function, function)?;
        let (stream, generation) = stream_of_this_thread(driver, stream)?;
        let device = driver.device_of(stream)?;
        device.launch(generation, stream, |open, stream, task| {
            let found = open
                .binaries
                .values()
                .find_map(|binary| binary.handles.get(&function.serial));
            let gone = || refuse(INVALID_HANDLE, "the file of this function is not loaded");
            let found = found.ok_or_else(gone)?;
            Ok(vec![HostFrame::LaunchByName {
                stream,
                task,
                file: found.file.clone(),
                function: found.symbol.clone(),
                blocks,
                args,
            }])
        })
    })
}

/// As [`find_stream`], for launches: the stream must belong to the calling thread's device.
fn stream_of_this_thread(driver: &Driver, stream: *mut c_void) -> Result<(Handle, u64)> {
    let (handle, generation) = find_stream(driver, stream)?;
    let (_, current) = driver.current()?;
    require(
        handle.device == current.device,
        STREAM_CONTEXT,
        "the stream belongs to another device than the one set on this thread",
    )?;
    Ok((handle, generation))
}

/// More blocks than AICPU threads would wait for each other.
fn check_aicpu_blocks(driver: &Driver, blocks: u32) -> Result<()> {
    require(
        (1..BLOCKS_END).contains(&blocks),
        PARAM_INVALID,
        format_args!("numBlocks is {blocks}, 1..{BLOCKS_END} expected"),
    )?;
    let threads = aicpu_occupancy(driver.chip()).count_ones();
    require(
        blocks <= threads,
        INTERNAL,
        format_args!("{blocks} blocks on {threads} AICPU threads would wait for each other"),
    )
}

/// Copies the argument bytes of a launch, as the vendor's driver does at the call.
///
/// # Safety
///
/// - `args` is null or points to `length` readable bytes.
unsafe fn launch_args(args: *const u8, length: u32, on_device: u8) -> Result<Vec<u8>> {
    non_null(args, PARAM_INVALID, "args")?;
    require(
        (1..=MAX_ARGS_BYTES).contains(&length),
        PARAM_INVALID,
        format_args!("argsSize is {length}, 1..={MAX_ARGS_BYTES} expected"),
    )?;
    require(
        on_device == 0,
        NOT_SUPPORTED,
        "arguments that are on the device already",
    )?;
    let length = usize::try_from(length).expect("a length below the limit");
    // SAFETY: the caller vouches for `length` bytes.
    unsafe { bytes(args, length, "args") }
}

/// The zero-ended name at `offset` of an argument blob.
fn name_in(args: &[u8], offset: u32, what: &str) -> Result<String> {
    let bad = || {
        refuse(
            PARAM_INVALID,
            format_args!(
                "{what} {offset} leads to no zero-ended name in {} bytes",
                args.len()
            ),
        )
    };
    let start = usize::try_from(offset).map_err(|_| bad())?;
    let rest = args.get(start..).ok_or_else(bad)?;
    let name = std::ffi::CStr::from_bytes_until_nul(rest).map_err(|_| bad())?;
    Ok(name.to_str().map_err(|_| bad())?.to_owned())
}

/// Takes only files of the JSON form.
///
/// # Safety
///
/// - `config` is null or points to a configuration with as many options as it says.
unsafe fn check_load_mode(config: *const LoadBinaryConfig) -> Result<()> {
    // SAFETY: the caller vouches for `config`.
    let config = unsafe { read(config, PARAM_INVALID, "cfg") }?;
    for index in 0..config.count {
        let option = config.options.wrapping_add(index);
        // SAFETY: the caller vouches for `count` options.
        let option: LoadBinaryOption = unsafe { read(option, PARAM_INVALID, "options") }?;
        require(
            option.id != LOAD_OPTION_MODE || option.value[0] == LOAD_MODE_JSON,
            NOT_SUPPORTED,
            format_args!("load mode {}, only 0 is simulated", option.value[0]),
        )?;
    }
    Ok(())
}
