//! Register windows and pages of counters: one mapping each for all cores, at fixed distances.

use cann_sys::bindings::{
    AddrMapInPara, AddrMapOutPara, CANN_HAL_CTRL_ADDR_MAP, CANN_HAL_INFO_OCCUPY,
    CANN_HAL_MODULE_AICORE, CANN_HAL_REG_AIC_CTRL, CANN_HAL_REG_AIC_PMU_CTRL,
};
use cann_sys::codes::HAL_BUSY;
use lanescope_abi::chip::{A2A3, AIV_PER_CLUSTER};
use lanescope_cann::{Context, Registers, hal_result, missing_function};
use lanescope_platform::{PlatformError, Result};
use std::ptr;
use std::time::Duration;

/// Cube cores of the chip, usable or not.
const CUBE_CORES: u32 = A2A3.physical_cores / (1 + AIV_PER_CLUSTER);

/// Another process that opens the device holds a lock for a moment.
const BUSY_RETRIES: u32 = 3;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// The mask of usable cube cores; all of them when the driver does not say.
pub(crate) fn usable_cores(context: &Context) -> u32 {
    let all = (1 << CUBE_CORES) - 1;
    let Ok(function) = context.libraries().hal.halGetDeviceInfoByBuff else {
        return all;
    };
    let mut mask = [0_u64; 2];
    let mut bytes = i32::try_from(size_of_val(&mask)).expect("a small number");
    // SAFETY: the buffer is writable for `bytes` bytes, and `bytes` is a place for one number.
    let code = unsafe {
        function(
            context.driver_id(),
            CANN_HAL_MODULE_AICORE.cast_signed(),
            CANN_HAL_INFO_OCCUPY.cast_signed(),
            mask.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let low = u32::try_from(mask[0] & u64::from(all)).expect("masked to 25 bits");
    if code == 0 && low != 0 { low } else { all }
}

/// Maps the control registers and works out each core's window.
pub(crate) fn map(context: &Context) -> Result<Registers> {
    let base = map_base(context, CANN_HAL_REG_AIC_CTRL)?;
    Ok(Registers {
        windows: windows(base, usable_cores(context)),
        release: None,
    })
}

/// Maps the hardware counters and works out each core's page; they lie as the windows do.
pub(crate) fn map_pmu(context: &Context) -> Result<Vec<u64>> {
    let base = map_base(context, CANN_HAL_REG_AIC_PMU_CTRL)?;
    Ok(windows(base, usable_cores(context)))
}

/// Cube cores first, then the vector cores of each.
fn windows(base: u64, usable: u32) -> Vec<u64> {
    let window = |cube: u32, sub: u32| {
        if usable & (1 << cube) == 0 {
            return 0;
        }
        base + u64::from(cube) * A2A3.registers.core_stride_bytes
            + u64::from(sub) * A2A3.registers.sub_core_stride_bytes
    };
    let cubes = (0..CUBE_CORES).map(|cube| window(cube, 0));
    let vectors = (0..CUBE_CORES)
        .flat_map(|cube| (1..=AIV_PER_CLUSTER).map(move |sub| (cube, sub)))
        .map(|(cube, sub)| window(cube, sub));
    cubes.chain(vectors).collect()
}

/// Maps a kind of register of all cores.
fn map_base(context: &Context, kind: u32) -> Result<u64> {
    let Ok(function) = context.libraries().hal.halMemCtl else {
        return Err(missing_function("halMemCtl"));
    };
    let _binding = context.bind()?;
    let mut wanted = AddrMapInPara {
        addr_type: kind,
        devid: context.driver_id(),
    };
    let mut mapped = AddrMapOutPara::default();
    let mut retries = 0;
    loop {
        // SAFETY: both structures are alive and of the sizes that are passed; the driver takes a
        // null pointer for the answer's size.
        let code = unsafe {
            function(
                CANN_HAL_CTRL_ADDR_MAP.cast_signed(),
                (&raw mut wanted).cast(),
                size_of::<AddrMapInPara>(),
                (&raw mut mapped).cast(),
                ptr::null_mut(),
            )
        };
        if code != HAL_BUSY || retries == BUSY_RETRIES {
            hal_result("halMemCtl", code)?;
            break;
        }
        retries += 1;
        std::thread::sleep(BUSY_PAUSE);
    }
    let needed = u64::from(CUBE_CORES) * A2A3.registers.core_stride_bytes;
    if mapped.ptr == 0 || mapped.len < needed {
        return Err(PlatformError::Unsupported {
            what: match kind {
                CANN_HAL_REG_AIC_PMU_CTRL => "a view of the hardware counters",
                _ => "a view of the core registers",
            },
            reason: format!(
                "halMemCtl gave {:#x} with {} bytes, expected {needed}",
                mapped.ptr, mapped.len
            ),
        });
    }
    Ok(mapped.ptr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_physical_cores_and_an_unusable_one_has_none() {
        let windows = windows(0x1000, !(1 << 7));
        assert_eq!(windows.len(), 75);
        assert_eq!(windows[0], 0x1000);
        assert_eq!(windows[24], 0x1000 + 24 * 0x80_0000);
        assert_eq!(windows[25], 0x1000 + 0x10_0000);
        assert_eq!(
            windows[25 + 2 * 24 + 1],
            0x1000 + 24 * 0x80_0000 + 0x20_0000
        );
        assert_eq!((windows[7], windows[39], windows[40]), (0, 0, 0));
        assert_eq!(windows.iter().filter(|window| **window == 0).count(), 3);
    }
}
