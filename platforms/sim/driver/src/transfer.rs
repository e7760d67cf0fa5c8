//! Freeing and copying device memory: which addresses are whose, and what may be done with them.

use crate::codes::{DRIVER_INTERNAL, NOT_SUPPORTED, PARAM_INVALID, Result, refuse, require};
use crate::copy::{self, Order, mixed};
use crate::driver::Driver;
use crate::memory::Memory;
use crate::settings::MAX_MEMORY_BYTES;
use crate::visible::MACHINE_DEVICES;
use lanescope_abi::Chip;
use lanescope_sim_wire::DEVICE_MEMORY_ADDRESS;
use std::sync::Arc;

/// Directions of `rtMemcpy`. Managed and default ones go by the addresses.
const HOST_TO_HOST: u32 = 0;
const HOST_TO_DEVICE: u32 = 1;
const DEVICE_TO_HOST: u32 = 2;
const DEVICE_TO_DEVICE: u32 = 3;
const MANAGED: u32 = 4;
const ADDRESS_OF_DEVICE_TO_DEVICE: u32 = 5;
const DEFAULT: u32 = 8;

/// Ends an allocation, whatever device the calling thread is bound to.
pub(crate) fn free(driver: &Driver, address: u64) -> Result<()> {
    let unknown = || {
        refuse(
            PARAM_INVALID,
            format_args!("no allocation starts at {address:#x}"),
        )
    };
    let device = device_index(address).and_then(|index| driver.device_at(index));
    device.ok_or_else(unknown)?.give_back(|open| {
        let bytes = open.allocations.bytes_at(address).ok_or_else(unknown)?;
        require(
            !open.registrations.touch(address, bytes),
            DRIVER_INTERNAL,
            format_args!("the allocation at {address:#x} is registered with the host"),
        )?;
        open.allocations.free(address);
        Ok(())
    })
}

/// `rtMemcpy`.
///
/// # Safety
///
/// - Each of `to` and `from` is null, a device address, or valid for `count` bytes.
pub(crate) unsafe fn copy(
    driver: &Driver,
    to: *mut u8,
    to_size: u64,
    from: *const u8,
    count: u64,
    kind: u32,
) -> Result<()> {
    require(!to.is_null(), PARAM_INVALID, "dst is null")?;
    require(!from.is_null(), PARAM_INVALID, "src is null")?;
    require(
        (1..=to_size).contains(&count),
        PARAM_INVALID,
        format_args!("cnt is {count}, destMax {to_size}"),
    )?;
    let (to_device, from_device) = directions(kind, to.addr() as u64, from.addr() as u64)?;
    let transfer = Transfer::new(driver, to_device, from_device, count)?;
    if to.addr() == from.addr() {
        return Ok(());
    }
    let Transfer {
        memory,
        to_offset,
        from_offset,
        bytes,
        order,
    } = transfer;
    match (to_offset, from_offset) {
        // SAFETY: the caller vouches for both; they may overlap.
        (None, None) => unsafe { std::ptr::copy(from, to, bytes) },
        // SAFETY: the caller vouches for `from`, which is a host address.
        (Some(offset), None) => unsafe {
            copy::to_device(memory.whole(), offset, from, bytes, order);
        },
        // SAFETY: the caller vouches for `to`, which is a host address.
        (None, Some(offset)) => unsafe {
            copy::to_host(memory.whole(), to, offset, bytes, order);
        },
        (Some(to), Some(from)) => copy::inside(memory.whole(), to, from, bytes, order),
    }
    Ok(())
}

/// A copy that was checked: each device address as an offset into the device's memory.
struct Transfer {
    memory: Arc<Memory>,
    to_offset: Option<usize>,
    from_offset: Option<usize>,
    bytes: usize,
    order: Order,
}

impl Transfer {
    fn new(driver: &Driver, to: Option<u64>, from: Option<u64>, count: u64) -> Result<Self> {
        let (device, current) = driver.current()?;
        let first = device.first_address();
        let seed = driver.settings().seed();
        let chip = driver.chip();
        device.with(current.generation, |open| {
            for address in [to, from].into_iter().flatten() {
                require(
                    open.allocations.contain(address, count),
                    PARAM_INVALID,
                    format_args!(
                        "{count} bytes at {address:#x} are not inside one allocation of the device"
                    ),
                )?;
            }
            open.copies += 1;
            let offset = |address: u64| usize::try_from(address - first).ok();
            let bytes = usize::try_from(count)
                .map_err(|_| refuse(PARAM_INVALID, format_args!("cnt is {count}")))?;
            Ok(Self {
                memory: Arc::clone(&open.memory),
                to_offset: to.and_then(offset),
                from_offset: from.and_then(offset),
                bytes,
                order: match chip {
                    Chip::A2a3 => Order::Address,
                    Chip::A5 => Order::Scattered(mixed(seed) ^ open.copies),
                },
            })
        })
    }
}

/// Which of the two are device addresses, when the direction allows them.
fn directions(kind: u32, to: u64, from: u64) -> Result<(Option<u64>, Option<u64>)> {
    let is_device = |address: u64| device_index(address).is_some();
    let expected = match kind {
        HOST_TO_HOST => (false, false),
        HOST_TO_DEVICE => (true, false),
        DEVICE_TO_HOST => (false, true),
        DEVICE_TO_DEVICE => (true, true),
        MANAGED | DEFAULT => (is_device(to), is_device(from)),
        ADDRESS_OF_DEVICE_TO_DEVICE => {
            return Err(refuse(NOT_SUPPORTED, "copies of kind 5 are not simulated"));
        }
        _ => return Err(refuse(PARAM_INVALID, format_args!("kind is {kind}"))),
    };
    for (name, address, device) in [("dst", to, expected.0), ("src", from, expected.1)] {
        let place = if device { "device" } else { "host" };
        require(
            is_device(address) == device,
            PARAM_INVALID,
            format_args!("{name} {address:#x} is no {place} address, as kind {kind} wants"),
        )?;
    }
    Ok((expected.0.then_some(to), expected.1.then_some(from)))
}

/// The logical device an address belongs to, when it is a device address at all.
fn device_index(address: u64) -> Option<usize> {
    let index = address.checked_sub(DEVICE_MEMORY_ADDRESS)? / MAX_MEMORY_BYTES;
    (index < u64::from(MACHINE_DEVICES)).then(|| usize::try_from(index).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: u64 = DEVICE_MEMORY_ADDRESS + 4096;
    const HOST: u64 = 0x7fff_0000_0000;

    #[test]
    fn the_direction_must_fit_the_addresses() {
        assert_eq!(directions(1, DEVICE, HOST), Ok((Some(DEVICE), None)));
        assert_eq!(directions(2, HOST, DEVICE), Ok((None, Some(DEVICE))));
        assert_eq!(
            directions(3, DEVICE, DEVICE),
            Ok((Some(DEVICE), Some(DEVICE)))
        );
        assert_eq!(directions(0, HOST, HOST), Ok((None, None)));
        assert_eq!(directions(8, HOST, DEVICE), Ok((None, Some(DEVICE))));
        for (kind, to, from) in [
            (1, HOST, HOST),
            (1, DEVICE, DEVICE),
            (2, DEVICE, DEVICE),
            (0, HOST, DEVICE),
            (6, HOST, DEVICE),
            (9, HOST, HOST),
        ] {
            assert_eq!(
                directions(kind, to, from).unwrap_err().code,
                PARAM_INVALID,
                "{kind}"
            );
        }
        assert_eq!(
            directions(5, DEVICE, DEVICE).unwrap_err().code,
            NOT_SUPPORTED
        );
    }

    #[test]
    fn an_address_names_its_device() {
        assert_eq!(device_index(DEVICE_MEMORY_ADDRESS - 1), None);
        assert_eq!(device_index(DEVICE_MEMORY_ADDRESS), Some(0));
        assert_eq!(
            device_index(DEVICE_MEMORY_ADDRESS + MAX_MEMORY_BYTES),
            Some(1)
        );
        assert_eq!(
            device_index(DEVICE_MEMORY_ADDRESS + 8 * MAX_MEMORY_BYTES),
            None
        );
    }
}
