//! The three launch calls of the driver; each copies its arguments at the call.

use crate::Context;
use crate::calls::function;
use crate::stream::Stream;
use cann_sys::bindings::{
    CANN_RT_KERNEL_AICPU_KFC, CANN_RT_SCHEDULE_BATCH, rtAicpuArgsEx_t, rtArgsEx_t,
    rtCpuKernelArgs_t, rtKernelLaunchCfg_t, rtLaunchKernelAttr_t, rtTaskCfgInfo_t,
};
use lanescope_abi::launch::AicpuArgs;
use lanescope_platform::{DeviceAddress, Result};
use std::ffi::{CStr, c_void};
use std::mem::offset_of;
use std::ptr;

/// Delivers: loads the shared object that `DeviceArgs` names, unless one is loaded already, and
/// calls its init entry.
pub(crate) const DELIVERY_KERNEL: &CStr = c"DynTileFwkKernelServerInit";
/// Calls the delivered program's run entry on every thread.
pub(crate) const RUN_KERNEL: &CStr = c"DynTileFwkKernelServer";

/// The driver's own AICPU library, which does both.
const LOADER_LIBRARY: &CStr = c"libaicpu_extend_kernels.so";
const LOADER_OP: &CStr = c"AST_DYN_AICPU";

/// `mode 0` of the tiling key selects the entries whose names hold a 0.
const TILING_KEY: u64 = 0;

/// What the classic call takes: the arguments and, behind them, the names they are launched under.
#[repr(C)]
struct LaunchBlob {
    args: AicpuArgs,
    kernel_name: [u8; 32],
    library_name: [u8; 32],
    op_name: [u8; 32],
}

/// Launches `kernel` of the driver's loader on `blocks` AICPU threads.
pub(crate) fn launch_classic(
    context: &Context,
    stream: &Stream,
    kernel: &CStr,
    blocks: u32,
    args: AicpuArgs,
) -> Result<()> {
    let function = function!(context.libraries().runtime, rtAicpuKernelLaunchExWithArgs)?;
    let mut blob = LaunchBlob {
        args,
        kernel_name: padded(kernel),
        library_name: padded(LOADER_LIBRARY),
        op_name: padded(LOADER_OP),
    };
    let info = rtAicpuArgsEx_t {
        args: (&raw mut blob).cast::<c_void>(),
        argsSize: size_u32::<LaunchBlob>(),
        kernelNameAddrOffset: offset_u32(offset_of!(LaunchBlob, kernel_name)),
        soNameAddrOffset: offset_u32(offset_of!(LaunchBlob, library_name)),
        ..Default::default()
    };
    let _binding = context.bind()?;
    // SAFETY:
    // - `info` and the blob it points to outlive the call, which copies the blob;
    // - the two offsets lie in the blob and begin strings with a terminating zero;
    // - the stream is alive; a null descriptor stands for none.
    let code = unsafe {
        function(
            CANN_RT_KERNEL_AICPU_KFC,
            LOADER_OP.as_ptr(),
            blocks,
            &raw const info,
            ptr::null_mut(),
            stream.begin(),
            0,
        )
    };
    context.runtime_result("rtAicpuKernelLaunchExWithArgs", code)
}

/// Launches a function found by its name on `blocks` AICPU threads.
pub(crate) fn launch_by_name(
    context: &Context,
    stream: &Stream,
    function_handle: *mut c_void,
    blocks: u32,
    mut args: AicpuArgs,
) -> Result<()> {
    let function = function!(context.libraries().runtime, rtsLaunchCpuKernel)?;
    let mut info = rtCpuKernelArgs_t {
        baseArgs: rtAicpuArgsEx_t {
            args: (&raw mut args).cast::<c_void>(),
            argsSize: size_u32::<AicpuArgs>(),
            ..Default::default()
        },
        ..Default::default()
    };
    let mut attribute = rtLaunchKernelAttr_t::default();
    let config = rtKernelLaunchCfg_t {
        attrs: &raw mut attribute,
        numAttrs: 0,
    };
    let _binding = context.bind()?;
    // SAFETY:
    // - all structures and the arguments outlive the call, which copies them;
    // - the function's binary is loaded and the stream is alive.
    let code = unsafe {
        function(
            function_handle,
            blocks,
            stream.begin(),
            &raw const config,
            &raw mut info,
        )
    };
    context.runtime_result("rtsLaunchCpuKernel", code)
}

/// Launches the AICore program on `clusters` clusters, all of which start together.
pub(crate) fn launch_aicore(
    context: &Context,
    stream: &Stream,
    program_handle: *mut c_void,
    clusters: u32,
    control: DeviceAddress,
) -> Result<()> {
    let function = function!(context.libraries().runtime, rtKernelLaunchWithHandleV2)?;
    let mut argument = control.0;
    let mut info = rtArgsEx_t {
        args: (&raw mut argument).cast::<c_void>(),
        argsSize: size_u32::<u64>(),
        ..Default::default()
    };
    let config = rtTaskCfgInfo_t {
        // The cores wait for the AICPU, so a core that starts late would be waited for by all.
        schemMode: CANN_RT_SCHEDULE_BATCH.to_le_bytes()[0],
        ..Default::default()
    };
    let _binding = context.bind()?;
    // SAFETY:
    // - the structures and the argument outlive the call, which copies them;
    // - the program is registered and the stream is alive; a null descriptor stands for none.
    let code = unsafe {
        function(
            program_handle,
            TILING_KEY,
            clusters,
            &raw mut info,
            ptr::null_mut(),
            stream.begin(),
            &raw const config,
        )
    };
    context.runtime_result("rtKernelLaunchWithHandleV2", code)
}

fn padded(name: &CStr) -> [u8; 32] {
    let bytes = name.to_bytes_with_nul();
    let mut field = [0; 32];
    field[..bytes.len()].copy_from_slice(bytes);
    field
}

fn size_u32<T>() -> u32 {
    offset_u32(size_of::<T>())
}

fn offset_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("the launch structures are small")
}
