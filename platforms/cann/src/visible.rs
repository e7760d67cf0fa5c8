//! From the id a user gives to the id that `hal*` calls take.

/// Restricts and renumbers the devices of a process.
const VISIBLE_DEVICES: &str = "ASCEND_RT_VISIBLE_DEVICES";

/// The driver's id of the logical device `logical_id` in this process.
pub(crate) fn driver_id(logical_id: u32) -> u32 {
    let Ok(list) = std::env::var(VISIBLE_DEVICES) else {
        return logical_id;
    };
    translate(&list, logical_id).unwrap_or_else(|reason| {
        log::warn!("{VISIBLE_DEVICES}={list:?}: {reason}; device {logical_id} is used as it is");
        logical_id
    })
}

/// The `logical_id`-th number of `list`; an empty list renumbers nothing.
fn translate(list: &str, logical_id: u32) -> Result<u32, String> {
    if list.trim().is_empty() {
        return Ok(logical_id);
    }
    let ids = list
        .split(',')
        .map(|item| {
            let item = item.trim();
            item.parse::<u32>()
                .map_err(|_| format!("{item:?} is no device id"))
        })
        .collect::<Result<Vec<u32>, String>>()?;
    usize::try_from(logical_id)
        .ok()
        .and_then(|index| ids.get(index).copied())
        .ok_or_else(|| format!("it lists {} devices", ids.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_number_of_the_list_is_the_drivers_id() {
        assert_eq!(translate("4,6, 7", 2), Ok(7));
        assert_eq!(translate("4", 0), Ok(4));
        assert_eq!(translate("", 3), Ok(3));
    }

    #[test]
    fn a_bad_or_short_list_is_refused_with_the_reason() {
        assert!(translate("4,x", 0).is_err_and(|reason| reason.contains("\"x\"")));
        assert!(translate("4,6", 2).is_err_and(|reason| reason.contains("2 devices")));
        assert!(translate("4,-1", 0).is_err());
    }
}
