//! Finds and opens the driver's shared objects.
//!
//! # Where it looks
//!
//! A folder that is named, by the caller or by `LANESCOPE_DRIVER_DIR`, is the only one searched:
//! half a simulated driver must never be completed with half a real one. Otherwise the places of a
//! CANN installation are searched, then the system's loader by bare name. Libraries are never
//! unloaded: the vendor's start threads of their own.

use crate::bindings::Functions;
use crate::simulator::Simulator;
use libloading::Library;
use libloading::os::unix;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Names a folder with the driver's libraries; nothing else is searched then.
pub const DRIVER_DIR_VARIABLE: &str = "LANESCOPE_DRIVER_DIR";

/// The opened driver; lives as long as the process.
///
/// Each library is one table of all the driver's functions, of which it offers its own: `rt*` and
/// `rts*` are found in `runtime`, `hal*` in `hal`, `acl*` in `acl`.
pub struct Libraries {
    /// `libruntime.so`.
    pub runtime: Functions,
    /// `libascend_hal.so`.
    pub hal: Functions,
    /// `libascendcl.so`, which not every installation has.
    pub acl: Option<Functions>,
    /// Controls, when the driver is a simulated one.
    pub simulator: Option<Simulator>,
    /// The file `libruntime.so` was opened from.
    pub runtime_path: PathBuf,
    /// The file `libascend_hal.so` was opened from.
    pub hal_path: PathBuf,
}

impl Libraries {
    /// Whether the driver has a function of `cann.h`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        macro_rules! present {
            ($($library:expr => { $($function:ident),+ $(,)? })+) => {
                match name {
                    $($(stringify!($function) => {
                        $library.is_some_and(|library| library.$function.is_ok())
                    })+)+
                    _ => false,
                }
            };
        }
        present! {
            Some(&self.runtime) => {
                rtSetDevice, rtDeviceReset, rtMalloc, rtFree, rtMemcpy, rtStreamCreate, rtStreamDestroy, rtStreamSynchronize, rtStreamSynchronizeWithTimeout, rtStreamQuery, rtGetC2cCtrlAddr, rtRegisterAllKernel, rtDevBinaryUnRegister, rtKernelLaunchWithHandleV2, rtAicpuKernelLaunchExWithArgs, rtsBinaryLoadFromFile, rtsBinaryUnload, rtsFuncGetByName, rtsLaunchCpuKernel
            }
            Some(&self.hal) => {
                halHostRegister, halHostUnregister, halHostUnregisterEx, halMemCtl, halResMap, halResUnmap, halGetDeviceInfo, halGetDeviceInfoByBuff
            }
            self.acl.as_ref() => {
                aclInit, aclFinalize, aclrtSetDevice, aclrtResetDevice, aclrtResetDeviceForce, aclrtGetDevice, aclrtSynchronizeStreamWithTimeout, aclrtSynchronizeDeviceWithTimeout, aclrtSetOpExecuteTimeOutV2, aclrtGetStreamResLimit, aclrtGetSocName, aclGetRecentErrMsg
            }
        }
    }
}

impl fmt::Debug for Libraries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Libraries")
            .field("runtime_path", &self.runtime_path)
            .field("hal_path", &self.hal_path)
            .field("acl", &self.acl.is_some())
            .field("simulator", &self.simulator.is_some())
            .finish()
    }
}

/// The driver could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A library is in none of the places.
    #[error("{library} could not be opened; tried {}", .tried.join(", "))]
    NotFound {
        /// The library's file name.
        library: &'static str,
        /// Every path tried, with the loader's reason.
        tried: Vec<String>,
    },
    /// The libraries lack functions.
    #[error("functions missing: {}; looked in {}", .names.join(", "), .libraries.join(", "))]
    SymbolsMissing {
        /// Every function that is missing.
        names: Vec<String>,
        /// The files searched.
        libraries: Vec<String>,
    },
    /// Two simulated drivers in one process would share their state.
    #[error(
        "{} shares its state with {}, which this process opened before",
        .path.display(),
        .earlier.display()
    )]
    SharedState {
        /// The driver that was asked for.
        path: PathBuf,
        /// The driver already opened.
        earlier: PathBuf,
    },
}

/// Opens the driver, or finds it already open.
///
/// `required` names functions of any of the libraries; all that are missing are reported at once.
/// `driver_dir` is the only folder searched when given.
///
/// # Errors
///
/// [`LoadError`].
///
/// # Panics
///
/// When an earlier call panicked.
pub fn load(
    driver_dir: Option<&Path>,
    required: &[&'static str],
) -> Result<&'static Libraries, LoadError> {
    static OPENED: Mutex<Vec<&'static Libraries>> = Mutex::new(Vec::new());

    let mut opened = OPENED
        .lock()
        .expect("no code panics while it opens a driver");
    let named = driver_dir.map(Path::to_path_buf).or_else(|| {
        std::env::var_os(DRIVER_DIR_VARIABLE)
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
    });
    // The hal comes first: the runtime depends on it by name, and finds it once it is open.
    let (hal_library, hal_path) = open("libascend_hal.so", &places(named.as_deref(), HAL_PLACES))?;
    let (runtime_library, runtime_path) =
        open("libruntime.so", &places(named.as_deref(), TOOLKIT_PLACES))?;
    let acl_library = open("libascendcl.so", &places(named.as_deref(), TOOLKIT_PLACES)).ok();

    if let Some(known) = opened
        .iter()
        .find(|known| known.runtime_path == runtime_path && known.hal_path == hal_path)
    {
        check(known, required)?;
        return Ok(known);
    }
    let simulator = Simulator::find(&runtime_library);
    if let Some(simulator) = &simulator
        && let Some(earlier) = opened.iter().find(|known| {
            known
                .simulator
                .is_some_and(|other| other.is_same(simulator))
        })
    {
        return Err(LoadError::SharedState {
            path: runtime_path,
            earlier: earlier.runtime_path.clone(),
        });
    }
    let libraries = Libraries {
        // SAFETY: the functions have the types of `cann.h`, which are the vendor's.
        runtime: unsafe { Functions::from_library(runtime_library) }
            .expect("each function is optional, so nothing can fail"),
        // SAFETY: the functions have the types of `cann.h`, which are the vendor's.
        hal: unsafe { Functions::from_library(hal_library) }
            .expect("each function is optional, so nothing can fail"),
        acl: acl_library.map(|(library, _)| {
            // SAFETY: the functions have the types of `cann.h`, which are the vendor's.
            unsafe { Functions::from_library(library) }
                .expect("each function is optional, so nothing can fail")
        }),
        simulator,
        runtime_path,
        hal_path,
    };
    check(&libraries, required)?;
    let libraries: &'static Libraries = Box::leak(Box::new(libraries));
    opened.push(libraries);
    Ok(libraries)
}

/// Where `libascend_hal.so` lives on a machine with a device.
const HAL_PLACES: &[&str] = &[
    "/usr/local/Ascend/driver/lib64/driver",
    "/usr/local/Ascend/driver/lib64/common",
    "/usr/local/Ascend/driver/lib64",
];

/// Where the toolkit lives unless `ASCEND_HOME_PATH` says otherwise.
const TOOLKIT_PLACES: &[&str] = &[
    "/usr/local/Ascend/cann/lib64",
    "/usr/local/Ascend/ascend-toolkit/latest/lib64",
];

/// The folders to search, in order; an empty path stands for the system's loader.
fn places(named: Option<&Path>, usual: &[&str]) -> Vec<PathBuf> {
    if let Some(folder) = named {
        return vec![folder.to_path_buf()];
    }
    ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"]
        .iter()
        .filter_map(std::env::var_os)
        .filter(|home| !home.is_empty())
        .map(|home| PathBuf::from(home).join("lib64"))
        .chain(usual.iter().map(PathBuf::from))
        .chain([PathBuf::new()])
        .collect()
}

/// Resolve everything at once, keep the names to ourselves, and stay in memory when a later step of
/// the opening fails: `RTLD_NODELETE` is 0x1000 on Linux.
const OPEN_FLAGS: i32 = unix::RTLD_NOW | unix::RTLD_LOCAL | 0x1000;

fn open(library: &'static str, folders: &[PathBuf]) -> Result<(Library, PathBuf), LoadError> {
    let mut tried = Vec::new();
    for folder in folders {
        let path = folder.join(library);
        if folder.as_os_str().is_empty() || path.is_file() {
            // SAFETY: opening runs the initialisers of a library the user installed as the driver.
            match unsafe { unix::Library::open(Some(&path), OPEN_FLAGS) } {
                Ok(opened) => {
                    let path = path.canonicalize().unwrap_or(path);
                    return Ok((opened.into(), path));
                }
                Err(error) => tried.push(format!("{} ({})", path.display(), reason(&error))),
            }
        } else {
            tried.push(format!("{} (no such file)", path.display()));
        }
    }
    Err(LoadError::NotFound { library, tried })
}

/// The loader's own words, which libloading keeps in the source.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Reports every required function that is missing.
fn check(libraries: &Libraries, required: &[&'static str]) -> Result<(), LoadError> {
    let names: Vec<String> = required
        .iter()
        .filter(|name| !libraries.has(name))
        .map(|name| (*name).to_owned())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(LoadError::SymbolsMissing {
        names,
        libraries: vec![
            libraries.runtime_path.display().to_string(),
            libraries.hal_path.display().to_string(),
        ],
    })
}
