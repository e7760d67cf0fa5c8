//! From the driver's functions and numbers to results.

use cann_sys::{Libraries, LoadError, hal_code, runtime_code};
use lanescope_platform::{PlatformError, Result};
use std::ffi::CStr;
use std::path::Path;

/// A function of the driver, or the error that it has none.
macro_rules! function {
    ($table:expr, $name:ident) => {
        match &$table.$name {
            Ok(function) => Ok(*function),
            Err(_) => Err($crate::calls::missing_function(stringify!($name))),
        }
    };
}
pub(crate) use function;

/// Functions every chip needs; all that are missing are reported at once.
pub(crate) const REQUIRED_FUNCTIONS: [&str; 13] = [
    "rtSetDevice",
    "rtDeviceReset",
    "rtMalloc",
    "rtFree",
    "rtMemcpy",
    "rtStreamCreate",
    "rtStreamDestroy",
    "rtStreamSynchronizeWithTimeout",
    "rtRegisterAllKernel",
    "rtDevBinaryUnRegister",
    "rtKernelLaunchWithHandleV2",
    "rtAicpuKernelLaunchExWithArgs",
    "halGetDeviceInfoByBuff",
];

/// Functions of the launch by name.
pub(crate) const BY_NAME_FUNCTIONS: [&str; 4] = [
    "rtsBinaryLoadFromFile",
    "rtsBinaryUnload",
    "rtsFuncGetByName",
    "rtsLaunchCpuKernel",
];

/// Opens the driver's libraries and checks that they have the functions in `required`.
///
/// # Errors
///
/// [`PlatformError::DriverNotFound`], [`PlatformError::SymbolsMissing`].
pub fn load_driver(
    driver_dir: Option<&Path>,
    required: &[&'static str],
) -> Result<&'static Libraries> {
    cann_sys::load(driver_dir, required).map_err(|error| match error {
        LoadError::NotFound { library, tried } => PlatformError::DriverNotFound {
            library: library.to_owned(),
            tried,
            hint: match driver_dir {
                Some(dir) => format!(
                    "{} holds no whole driver; make the build again with `cargo xtask build`, or \
                     name another folder in {}",
                    dir.display(),
                    cann_sys::DRIVER_DIR_VARIABLE
                ),
                None => format!(
                    "install the CANN toolkit and driver and source its set_env.sh, or name a \
                     folder with the libraries in {}",
                    cann_sys::DRIVER_DIR_VARIABLE
                ),
            },
        },
        LoadError::SymbolsMissing { names, libraries } => PlatformError::SymbolsMissing {
            names,
            libraries,
            hint: "another version of CANN or of the driver is needed".to_owned(),
        },
        other => PlatformError::Unsupported {
            what: "a second simulated driver",
            reason: other.to_string(),
        },
    })
}

/// The result of an `rt*` or `acl*` call that returned `code`.
pub(crate) fn runtime_result(libraries: &Libraries, call: &'static str, code: i32) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    let known = runtime_code(code);
    Err(PlatformError::Driver {
        call,
        code: known.code,
        name: known.name,
        detail: recent_message(libraries, call, code),
        hint: known.hint,
    })
}

/// The result of a `hal*` call that returned `code`.
///
/// # Errors
///
/// [`PlatformError::Driver`] unless `code` is 0.
pub fn hal_result(call: &'static str, code: u32) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    let known = hal_code(code);
    Err(PlatformError::Driver {
        call,
        code: known.code,
        name: known.name,
        detail: String::new(),
        hint: known.hint,
    })
}

/// The error of a call that the driver does not have.
#[must_use]
pub fn missing_function(name: &'static str) -> PlatformError {
    PlatformError::Unsupported {
        what: name,
        reason: "the driver has no such function".to_owned(),
    }
}

/// What the driver says of the last failure on this thread, as one line, without the call and the
/// code that the caller names anyway.
pub(crate) fn recent_message(libraries: &Libraries, call: &str, code: i32) -> String {
    let Some(Ok(function)) = libraries.acl.as_ref().map(|acl| &acl.aclGetRecentErrMsg) else {
        return String::new();
    };
    // SAFETY: takes nothing and may be called on any thread.
    let message = unsafe { function() };
    if message.is_null() {
        return String::new();
    }
    // SAFETY: not null; the driver returns a string with a terminating zero that lives until the
    // next call on this thread.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    let line = lines.join("; ");
    let line = line.trim_matches([' ', ';']);
    let line = line.strip_prefix(&format!("{call}: ")).unwrap_or(line);
    let line = line.strip_suffix(&format!(" ({code})")).unwrap_or(line);
    line.to_owned()
}
