//! Names and hints for what driver calls return.

/// What is known of a return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code itself.
    pub code: i64,
    /// Its name; `unknown` when it has none.
    pub name: &'static str,
    /// What usually causes it and what to do, in one line; empty when nothing is known.
    pub hint: &'static str,
}

/// A parameter is not legal.
pub const PARAM_INVALID: i32 = 107_000;
/// The calling thread has set no device.
pub const CONTEXT_NULL: i32 = 107_002;
/// A task of the device was aborted.
pub const DEVICE_TASK_ABORT: i32 = 107_022;
/// Work on the stream is not done yet.
pub const STREAM_NOT_COMPLETE: i32 = 507_004;
/// The device's reference count is 0 already.
pub const CONTEXT_RELEASE: i32 = 507_007;
/// The limit of a wait for a stream passed.
pub const STREAM_SYNC_TIMEOUT: i32 = 507_046;
/// The driver library lacks this feature.
pub const FEATURE_NOT_SUPPORT: i32 = 207_000;
/// `hal*`: a lock of the driver is held by someone else.
pub const HAL_BUSY: u32 = 13;

/// Names a return code of `rt*`, `rts*` and `acl*`, which share their numbers.
#[must_use]
pub fn runtime_code(code: i32) -> Code {
    find(RUNTIME, i64::from(code))
}

/// Names a return code of `hal*`.
#[must_use]
pub fn hal_code(code: u32) -> Code {
    find(HAL, i64::from(code))
}

/// Whether a code of `rt*` or `acl*` says that the device is lost until it is reset.
#[must_use]
pub fn is_device_fault(code: i32) -> bool {
    matches!(
        code,
        DEVICE_TASK_ABORT
            | 507_000
            | 507_001
            | 507_010
            | 507_014
            | 507_015
            | 507_017
            | 507_018
            | 507_033
            | 507_034
            | 507_035
            | 507_899
            | 507_900
            | 507_901
    )
}

/// Whether a code of a wait for a stream says that what was launched has come to its end, by a fault
/// of its own or with its device process. Other refusals say nothing of what runs on the device.
#[must_use]
pub fn is_end_by_fault(code: i32) -> bool {
    matches!(
        code,
        DEVICE_TASK_ABORT | 507_014 | 507_015 | 507_017 | 507_018 | 507_034 | 507_035 | 507_901
    )
}

fn find(table: &[(i64, &'static str, &'static str)], code: i64) -> Code {
    let (name, hint) = table
        .iter()
        .find(|(known, _, _)| *known == code)
        .map_or(("unknown", ""), |(_, name, hint)| (*name, *hint));
    Code { code, name, hint }
}

const RUNTIME: &[(i64, &str, &str)] = &[
    (0, "SUCCESS", ""),
    (100_000, "INVALID_PARAM", ""),
    (100_001, "UNINITIALIZE", ""),
    (100_002, "REPEAT_INITIALIZE", ""),
    (100_037, "REPEAT_FINALIZE", ""),
    (107_000, "PARAM_INVALID", ""),
    (
        107_001,
        "INVALID_DEVICEID",
        "device ids count from 0 within ASCEND_RT_VISIBLE_DEVICES, which must be an ascending list",
    ),
    (
        107_002,
        "CONTEXT_NULL",
        "the calling thread is not attached to the device",
    ),
    (107_003, "STREAM_CONTEXT", ""),
    (107_008, "ADDR_UNALIGNED", ""),
    (107_017, "INVALID_HANDLE", ""),
    (107_019, "WAIT_TIMEOUT", ""),
    (107_020, "TASK_TIMEOUT", ""),
    (
        107_022,
        "DEVICE_TASK_ABORT",
        "a task of the device was aborted; close the device and open it again",
    ),
    (
        207_000,
        "FEATURE_NOT_SUPPORT",
        "this driver or board lacks the feature",
    ),
    (
        207_001,
        "MEMORY_ALLOCATION",
        "device memory may be full; at a launch it can also mean kernel handles never unregistered",
    ),
    (207_002, "MEMORY_FREE", ""),
    (
        207_004,
        "NO_DEVICE",
        "no device is visible; look at npu-smi info and the rights on /dev/davinci*",
    ),
    (207_005, "RESOURCE_ALLOC_FAIL", ""),
    (
        207_006,
        "NO_PERMISSION",
        "the user needs read and write rights on /dev/davinci*",
    ),
    (207_008, "NO_STREAM_RESOURCE", ""),
    (207_018, "DEVICE_OOM", "device memory is full"),
    (
        507_000,
        "INTERNAL",
        "an operation ran into the driver's own time limit, or more AICPU threads were launched than exist",
    ),
    (507_001, "TS_ERROR", ""),
    (507_002, "STREAM_TASK_FULL", ""),
    (507_004, "STREAM_NOT_COMPLETE", ""),
    (
        507_007,
        "CONTEXT_RELEASE",
        "the device was reset more often than set",
    ),
    (507_008, "SOC_VERSION", ""),
    (507_010, "LOST_HEARTBEAT", "the device no longer answers"),
    (
        507_014,
        "AICORE_TIMEOUT",
        "an AICore kernel did not end within the driver's limit",
    ),
    (507_015, "AICORE_EXCEPTION", "an AICore kernel faulted"),
    (
        507_017,
        "AICPU_TIMEOUT",
        "the AICPU program did not end within the driver's limit",
    ),
    (
        507_018,
        "AICPU_EXCEPTION",
        "the AICPU program returned an error or crashed; the status lines say where",
    ),
    (507_027, "KERNEL_LOOKUP", ""),
    (507_033, "DEV_SETUP_ERROR", ""),
    (507_034, "VECTOR_CORE_TIMEOUT", ""),
    (507_035, "VECTOR_CORE_EXCEPTION", ""),
    (
        507_046,
        "STREAM_SYNC_TIMEOUT",
        "the host stopped waiting; the device may still run",
    ),
    (507_047, "EVENT_SYNC_TIMEOUT", ""),
    (
        507_899,
        "DRV_INTERNAL",
        "usually the echo of an earlier device fault",
    ),
    (507_900, "AICPU_INTERNAL", ""),
    (
        507_901,
        "HDC_DISCONNECT",
        "the channel to the device is closed: the device process has ended",
    ),
    (507_902, "AICPU_INFO_LOAD", ""),
];

const HAL: &[(i64, &str, &str)] = &[
    (0, "NONE", ""),
    (1, "NO_DEVICE", ""),
    (2, "INVALID_DEVICE", ""),
    (3, "INVALID_VALUE", ""),
    (
        4,
        "INVALID_HANDLE",
        "the device has not been opened by this process",
    ),
    (6, "OUT_OF_MEMORY", ""),
    (7, "INNER_ERR", ""),
    (
        8,
        "PARA_ERROR",
        "at a registration it can mean that earlier ones were never undone",
    ),
    (9, "UNINIT", ""),
    (10, "REPEATED_INIT", ""),
    (11, "NOT_EXIST", ""),
    (12, "REPEATED_USERD", ""),
    (
        13,
        "BUSY",
        "another process is opening the device; try again",
    ),
    (14, "NO_RESOURCES", ""),
    (16, "WAIT_TIMEOUT", ""),
    (17, "IOCRL_FAIL", ""),
    (34, "DEVICE_NOT_READY", ""),
    (37, "OVER_LIMIT", ""),
    (40, "MALLOC_FAIL", ""),
    (
        42,
        "PROCESS_EXIT",
        "a logical device id may have been used where the driver's id is wanted",
    ),
    (43, "DEV_PROCESS_HANG", ""),
    (46, "OPER_NOT_PERMITTED", ""),
    (51, "TRY_AGAIN", ""),
    (
        62,
        "NO_PROCESS",
        "the device's scheduler process is gone, as after an earlier fault; reset the device",
    ),
    (88, "PERMISSION", ""),
    (
        0xfffe,
        "NOT_SUPPORT",
        "this driver or board lacks the feature",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_names_and_unknown_ones_say_so() {
        assert_eq!(runtime_code(507_018).name, "AICPU_EXCEPTION");
        assert!(runtime_code(507_018).hint.contains("AICPU program"));
        assert_eq!(runtime_code(13).name, "unknown");
        assert_eq!(hal_code(13).name, "BUSY");
        assert_eq!(hal_code(0xfffe).name, "NOT_SUPPORT");
        assert_eq!(hal_code(u32::MAX).code, i64::from(u32::MAX));
    }

    #[test]
    fn each_code_is_listed_once_in_ascending_order() {
        for table in [RUNTIME, HAL] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn a_time_out_of_a_wait_is_no_device_fault() {
        assert!(!is_device_fault(STREAM_SYNC_TIMEOUT));
        assert!(is_device_fault(507_018));
    }

    #[test]
    fn what_ends_a_task_is_a_device_fault_and_an_echo_ends_none() {
        let ends: Vec<i32> = (0..600_000).filter(|&code| is_end_by_fault(code)).collect();
        assert_eq!(ends.len(), 8);
        assert!(ends.into_iter().all(is_device_fault));
        assert!(is_device_fault(507_899) && !is_end_by_fault(507_899));
    }
}
