//! Which devices there are: logical ids, and the driver's ids behind them.

use std::ffi::OsStr;

/// The environment variable that chooses devices.
pub(crate) const VARIABLE: &str = "ASCEND_RT_VISIBLE_DEVICES";

/// Devices of the simulated machine.
pub(crate) const MACHINE_DEVICES: u32 = 8;

/// Devices a process sees when it does not choose.
const DEFAULT_DEVICES: [u32; 2] = [0, 1];

/// The driver's id of each logical device. A list that is not strictly ascending, or names what
/// does not exist, leaves none.
pub(crate) fn driver_ids(list: Option<&OsStr>) -> Vec<u32> {
    match list {
        Some(list) if !list.is_empty() => chosen(list).unwrap_or_default(),
        _ => DEFAULT_DEVICES.to_vec(),
    }
}

fn chosen(list: &OsStr) -> Option<Vec<u32>> {
    let mut ids = Vec::new();
    for token in list.to_str()?.split(',') {
        let id: u32 = token.trim().parse().ok()?;
        let ascends = ids.last().is_none_or(|last| *last < id);
        if id >= MACHINE_DEVICES || !ascends {
            return None;
        }
        ids.push(id);
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &str) -> Vec<u32> {
        driver_ids(Some(OsStr::new(list)))
    }

    #[test]
    fn the_nth_of_the_list_is_logical_device_n() {
        assert_eq!(driver_ids(None), [0, 1]);
        assert_eq!(ids(""), [0, 1]);
        assert_eq!(ids("4"), [4]);
        assert_eq!(ids("1, 3,7"), [1, 3, 7]);
    }

    #[test]
    fn a_bad_list_leaves_no_device() {
        for list in ["x", "3,1", "1,1", "0,8", "0,,1", "-1"] {
            assert_eq!(ids(list), [0; 0], "{list:?}");
        }
    }
}
