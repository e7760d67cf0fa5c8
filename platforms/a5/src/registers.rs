//! Register windows: one mapping per cube core, with its vector cores behind it.

use cann_sys::bindings::{
    CANN_HAL_INFO_CORE_NUM, CANN_HAL_MODULE_AICORE, CANN_HAL_PROCESS_CP1, CANN_HAL_RES_AICORE,
    res_map_info,
};
use lanescope_abi::chip::{A5, AIV_PER_CLUSTER};
use lanescope_cann::{Context, Registers, hal_result, missing_function};
use lanescope_platform::{PlatformError, Result};
use std::ffi::c_uint;
use std::sync::Arc;

/// Cube cores of the chip.
const CUBE_CORES: u32 = A5.physical_cores / (1 + AIV_PER_CLUSTER);
/// Cube cores of one die.
const CUBES_PER_DIE: u32 = 18;

/// Cube cores that can be used; all of them when the driver does not say.
pub(crate) fn usable_cores(context: &Context) -> u32 {
    let Ok(function) = context.libraries().hal.halGetDeviceInfo else {
        return CUBE_CORES;
    };
    let mut count = 0_i64;
    // SAFETY: `count` is a place for one number.
    let code = unsafe {
        function(
            context.driver_id(),
            CANN_HAL_MODULE_AICORE.cast_signed(),
            CANN_HAL_INFO_CORE_NUM.cast_signed(),
            &raw mut count,
        )
    };
    match u32::try_from(count) {
        Ok(count) if code == 0 && count > 0 => count,
        _ => CUBE_CORES,
    }
}

/// Maps the window of every cube core; what was mapped is given back when the result is dropped,
/// also when a later window is refused.
pub(crate) fn map(context: &Arc<Context>) -> Result<Registers> {
    let mut mapped = MappedWindows {
        context: Arc::clone(context),
        bases: Vec::new(),
    };
    let _binding = context.bind()?;
    for cube in 0..CUBE_CORES {
        let base = map_window(context, cube)?;
        mapped.bases.push(base);
    }
    Ok(Registers {
        windows: windows(&mapped.bases),
        release: Some(Box::new(mapped)),
    })
}

/// By die: its cube cores, then the vector cores of each.
fn windows(bases: &[u64]) -> Vec<u64> {
    let dies = bases.chunks(CUBES_PER_DIE as usize);
    dies.flat_map(|die| {
        let cubes = die.iter().copied();
        let vectors = die.iter().flat_map(|base| {
            (1..=AIV_PER_CLUSTER)
                .map(move |sub| base + u64::from(sub) * A5.registers.sub_core_stride_bytes)
        });
        cubes.chain(vectors)
    })
    .collect()
}

fn map_window(context: &Context, cube: u32) -> Result<u64> {
    let Ok(function) = context.libraries().hal.halResMap else {
        return Err(missing_function("halResMap"));
    };
    let window = c_uint::try_from(A5.registers.core_stride_bytes).expect("a window is 3 MiB");
    let mut resource = resource(cube);
    let mut address = 0;
    let mut length = window;
    // SAFETY: all three are alive and of the driver's types.
    let code = unsafe {
        function(
            context.driver_id(),
            &raw mut resource,
            &raw mut address,
            &raw mut length,
        )
    };
    hal_result("halResMap", code)?;
    if address == 0 || length < window {
        return Err(PlatformError::Unsupported {
            what: "a view of the core registers",
            reason: format!(
                "halResMap gave core {cube} {address:#x} with {length} bytes, expected {window}"
            ),
        });
    }
    Ok(address)
}

fn resource(cube: u32) -> res_map_info {
    res_map_info {
        target_proc_type: CANN_HAL_PROCESS_CP1,
        res_type: CANN_HAL_RES_AICORE,
        res_id: cube,
        flag: 0,
        rsv: [0],
    }
}

/// The windows mapped so far, in the order of the cube cores.
#[derive(Debug)]
struct MappedWindows {
    context: Arc<Context>,
    bases: Vec<u64>,
}

impl Drop for MappedWindows {
    fn drop(&mut self) {
        let Ok(function) = self.context.libraries().hal.halResUnmap else {
            return;
        };
        let _binding = self.context.bind();
        for (cube, _) in (0..).zip(&self.bases) {
            let mut resource = resource(cube);
            // SAFETY: the structure is alive; this window was mapped and is unmapped once.
            let code = unsafe { function(self.context.driver_id(), &raw mut resource) };
            if let Err(error) = hal_result("halResUnmap", code) {
                log::debug!("registers of core {cube}: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_physical_cores_of_each_die() {
        let bases: Vec<u64> = (1..=36).map(|core| core * 0x1000_0000).collect();
        let windows = windows(&bases);
        assert_eq!(windows.len(), 108);
        assert_eq!(windows[17], 18 * 0x1000_0000);
        assert_eq!(windows[18], 0x1010_0000);
        assert_eq!(windows[19], 0x1020_0000);
        assert_eq!(windows[54], 19 * 0x1000_0000);
        assert_eq!(windows[54 + 18 + 2 * 17 + 1], 36 * 0x1000_0000 + 0x20_0000);
    }
}
