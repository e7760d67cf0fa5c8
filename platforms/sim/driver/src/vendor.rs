//! The vendor's structures as the calls receive them; the C side asserts the same sizes.

use std::ffi::c_void;

/// `rtDevBinary_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct DevBinary {
    pub(crate) magic: u32,
    pub(crate) version: u32,
    pub(crate) data: *const u8,
    pub(crate) length: u64,
}

/// `rtArgsEx_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArgsEx {
    pub(crate) args: *const u8,
    pub(crate) host_input_info: *const c_void,
    pub(crate) args_bytes: u32,
    pub(crate) tiling_address_offset: u32,
    pub(crate) tiling_data_offset: u32,
    pub(crate) host_input_info_count: u16,
    pub(crate) has_tiling: u8,
    pub(crate) args_on_device: u8,
    pub(crate) reserved: [u8; 8],
}

/// `rtAicpuArgsEx_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AicpuArgsEx {
    pub(crate) args: *const u8,
    pub(crate) host_input_info: *const c_void,
    pub(crate) kernel_offset_info: *const c_void,
    pub(crate) args_bytes: u32,
    pub(crate) host_input_info_count: u16,
    pub(crate) kernel_offset_info_count: u16,
    pub(crate) so_name_offset: u32,
    pub(crate) kernel_name_offset: u32,
    pub(crate) args_on_device: u8,
    pub(crate) timeout: u16,
}

/// `rtCpuKernelArgs_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuKernelArgs {
    pub(crate) base: AicpuArgsEx,
    pub(crate) head_offset: u64,
    pub(crate) reserved: [u64; 2],
}

/// `rtLoadBinaryOption_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadBinaryOption {
    pub(crate) id: u32,
    pub(crate) value: [u32; 4],
}

/// `rtLoadBinaryConfig_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadBinaryConfig {
    pub(crate) options: *const LoadBinaryOption,
    pub(crate) count: usize,
}

/// `AddrMapInPara`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressMapIn {
    pub(crate) page: u32,
    pub(crate) device: u32,
}

/// `AddrMapOutPara`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressMapOut {
    pub(crate) address: u64,
    pub(crate) bytes: u64,
}

/// `struct res_map_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceMap {
    pub(crate) process: u32,
    pub(crate) resource: u32,
    pub(crate) id: u32,
    pub(crate) flag: u32,
    pub(crate) reserved: u32,
}

const _: () = assert!(size_of::<DevBinary>() == 24);
const _: () = assert!(size_of::<ArgsEx>() == 40);
const _: () = assert!(size_of::<AicpuArgsEx>() == 48);
const _: () = assert!(std::mem::offset_of!(AicpuArgsEx, timeout) == 42);
const _: () = assert!(size_of::<CpuKernelArgs>() == 72);
const _: () = assert!(size_of::<LoadBinaryOption>() == 20);
const _: () = assert!(size_of::<LoadBinaryConfig>() == 16);
const _: () = assert!(size_of::<AddressMapIn>() == 8);
const _: () = assert!(size_of::<AddressMapOut>() == 16);
const _: () = assert!(size_of::<ResourceMap>() == 20);
