//! Every function the driver exports: how often it was called, and which call is to fail.

use crate::codes::{PARAM_INVALID, Result, refuse};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

macro_rules! calls {
    ($($name:ident)+) => {
        /// An exported function, by the vendor's name.
        #[expect(non_camel_case_types, reason = "the vendor's names")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Call { $($name),+ }

        impl Call {
            const ALL: &[Self] = &[$(Self::$name),+];

            /// The vendor's name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

calls! {
    rtSetDevice rtDeviceReset rtMalloc rtFree rtMemcpy rtStreamCreate rtStreamDestroy
    rtStreamSynchronize rtStreamSynchronizeWithTimeout rtStreamQuery rtGetC2cCtrlAddr
    rtRegisterAllKernel rtDevBinaryUnRegister rtKernelLaunchWithHandleV2
    rtAicpuKernelLaunchExWithArgs rtsBinaryLoadFromFile rtsBinaryUnload rtsFuncGetByName
    rtsLaunchCpuKernel
    halHostRegister halHostUnregister halHostUnregisterEx halMemCtl halResMap halResUnmap
    halGetDeviceInfo halGetDeviceInfoByBuff
    aclInit aclFinalize aclrtSetDevice aclrtResetDevice aclrtResetDeviceForce aclrtGetDevice
    aclrtSynchronizeDeviceWithTimeout aclrtSynchronizeStreamWithTimeout aclrtSetOpExecuteTimeOutV2
    aclrtGetSocName aclGetRecentErrMsg aclrtGetStreamResLimit
}

impl Call {
    /// The function with this name, if it is exported.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|call| call.name() == name)
    }

    /// Counts one call. When this is the one that is to fail, the code it returns.
    pub(crate) fn enter(self) -> Option<i32> {
        COUNTS[self as usize].fetch_add(1, Ordering::Relaxed);
        // The list is nearly always empty; the flag keeps the lock out of every copy.
        if ARMED.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut code = None;
        faults.retain_mut(|fault| {
            if fault.call != self {
                return true;
            }
            fault.calls_left -= 1;
            if fault.calls_left == 0 {
                code = code.or(Some(fault.code));
            }
            fault.calls_left > 0
        });
        ARMED.store(faults.len() as u64, Ordering::Relaxed);
        code
    }

    /// Calls so far.
    pub(crate) fn count(self) -> u64 {
        COUNTS[self as usize].load(Ordering::Relaxed)
    }

    /// Calls so far of all functions.
    pub(crate) fn count_all() -> u64 {
        Self::ALL.iter().map(|call| call.count()).sum()
    }
}

static COUNTS: [AtomicU64; Call::ALL.len()] = [const { AtomicU64::new(0) }; Call::ALL.len()];
static ARMED: AtomicU64 = AtomicU64::new(0);
static FAULTS: Mutex<Vec<Fault>> = Mutex::new(Vec::new());

/// A call that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    call: Call,
    calls_left: u64,
    code: i32,
}

impl Fault {
    /// Reads `CALL:N:CODE`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            refuse(
                PARAM_INVALID,
                format_args!("fail={text}: {why}, CALL:N:CODE expected"),
            )
        };
        let [name, nth, code] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(bad("not three parts"));
        };
        let call = Call::named(name).ok_or_else(|| bad("no such function"))?;
        let calls_left = match nth.parse() {
            Ok(0) | Err(_) => return Err(bad("N is a number from 1 on")),
            Ok(nth) => nth,
        };
        let code = code.parse().map_err(|_| bad("CODE is a number"))?;
        Ok(Self {
            call,
            calls_left,
            code,
        })
    }

    /// Lets it happen.
    pub(crate) fn arm(self) {
        let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(self);
        ARMED.store(faults.len() as u64, Ordering::Relaxed);
    }

    /// Takes all back that have not happened.
    pub(crate) fn disarm_all() {
        let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clear();
        ARMED.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_from_now_fails_once() {
        Fault::parse("aclrtGetSocName:2:507899").unwrap().arm();
        let before = Call::aclrtGetSocName.count();
        assert_eq!(Call::aclrtGetDevice.enter(), None);
        assert_eq!(Call::aclrtGetSocName.enter(), None);
        assert_eq!(Call::aclrtGetSocName.enter(), Some(507_899));
        assert_eq!(Call::aclrtGetSocName.enter(), None);
        assert_eq!(Call::aclrtGetSocName.count() - before, 3);
        assert!(Call::count_all() >= 4);
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for text in [
            "",
            "rtMalloc",
            "rtMalloc:1",
            "rtMalloc:0:1",
            "rtMalloc:x:1",
            "rtMalloc:1:x",
        ] {
            assert_eq!(
                Fault::parse(text).unwrap_err().code,
                PARAM_INVALID,
                "{text}"
            );
        }
        let unknown = Fault::parse("rtNothing:1:1").unwrap_err();
        assert!(unknown.text.contains("no such function"), "{unknown}");
    }
}
