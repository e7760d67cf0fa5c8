//! A driver directory made for one test program, and its functions as the vendor's prototypes say.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub type Pointer = *mut c_void;

macro_rules! functions {
    ($($library:ident { $($name:ident($($argument:ty),*) -> $result:ty;)+ })+) => {
        /// The driver's functions.
        #[allow(non_snake_case)]
        pub struct Driver {
            $($(pub $name: unsafe extern "C" fn($($argument),*) -> $result,)+)+
            libraries: Vec<Library>,
        }

        impl Driver {
            fn open(dir: &Path) -> Self {
                $(let $library = library(dir, stringify!($library));)+
                Self {
                    $($($name: symbol(&$library, stringify!($name)),)+)+
                    libraries: vec![$($library),+],
                }
            }
        }
    };
}

functions! {
    libruntime {
        rtSetDevice(i32) -> i32;
        rtDeviceReset(i32) -> i32;
        rtMalloc(*mut Pointer, u64, u32, u16) -> i32;
        rtFree(Pointer) -> i32;
        rtMemcpy(Pointer, u64, *const c_void, u64, u32) -> i32;
        rtStreamCreate(*mut Pointer, i32) -> i32;
        rtStreamDestroy(Pointer) -> i32;
        rtStreamSynchronize(Pointer) -> i32;
        rtStreamSynchronizeWithTimeout(Pointer, i32) -> i32;
        rtStreamQuery(Pointer) -> i32;
        rtGetC2cCtrlAddr(*mut u64, *mut u32) -> i32;
        rtRegisterAllKernel(*const u64, *mut Pointer) -> i32;
        rtDevBinaryUnRegister(Pointer) -> i32;
        rtKernelLaunchWithHandleV2(Pointer, u64, u32, *const u64, Pointer, Pointer, *const u64) -> i32;
        rtAicpuKernelLaunchExWithArgs(u32, *const c_char, u32, *const u64, Pointer, Pointer, u32) -> i32;
        rtsBinaryLoadFromFile(*const c_char, *const u64, *mut Pointer) -> i32;
        rtsBinaryUnload(Pointer) -> i32;
        rtsFuncGetByName(Pointer, *const c_char, *mut Pointer) -> i32;
        rtsLaunchCpuKernel(Pointer, u32, Pointer, *const u64, *const u64) -> i32;
        lanescope_sim_set(*const c_char, *const c_char) -> i32;
        lanescope_sim_leaks(*mut c_char, u64) -> u64;
        lanescope_sim_calls(*const c_char) -> u64;
        lanescope_sim_device_pid(i32) -> i32;
    }
    libascendcl {
        aclInit(*const c_char) -> c_int;
        aclFinalize() -> c_int;
        aclrtSetDevice(i32) -> c_int;
        aclrtResetDevice(i32) -> c_int;
        aclrtResetDeviceForce(i32) -> c_int;
        aclrtGetDevice(*mut i32) -> c_int;
        aclrtSynchronizeDeviceWithTimeout(i32) -> c_int;
        aclrtSynchronizeStreamWithTimeout(Pointer, i32) -> c_int;
        aclrtSetOpExecuteTimeOutV2(u64, *mut u64) -> c_int;
        aclrtGetSocName() -> *const c_char;
        aclGetRecentErrMsg() -> *const c_char;
        aclrtGetStreamResLimit(Pointer, u32, *mut u32) -> c_int;
    }
    libascend_hal {
        halHostRegister(Pointer, u64, u32, u32, *mut Pointer) -> u32;
        halHostUnregister(Pointer, u32) -> u32;
        halHostUnregisterEx(Pointer, u32, u32) -> u32;
        halMemCtl(c_int, *const u32, usize, *mut u64, *mut usize) -> u32;
        halResMap(u32, *const u32, *mut u64, *mut u32) -> u32;
        halResUnmap(u32, *const u32) -> u32;
        halGetDeviceInfo(u32, i32, i32, *mut i64) -> u32;
        halGetDeviceInfoByBuff(u32, i32, i32, *mut u64, *mut i32) -> u32;
    }
}

/// Opens the driver of this test program, one test at a time: there is one driver in a process.
pub fn driver(chip: &str) -> Session {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let driver = DRIVER.get_or_init(|| bare_driver(chip));
    driver.set("fail", "").unwrap();
    Session {
        driver,
        _turn: turn,
    }
}

/// Opens the driver, and does nothing with it.
pub fn bare_driver(chip: &str) -> Driver {
    Driver::open(&driver_dir(chip))
}

/// A driver in use by one test.
pub struct Session {
    driver: &'static Driver,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Session {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        self.driver
    }
}

impl Drop for Session {
    /// Leaves no device behind, whatever the test did.
    fn drop(&mut self) {
        let _ = self.set("fail", "");
        for device in 0..2 {
            // SAFETY: the call takes a number.
            unsafe { (self.driver.aclrtResetDeviceForce)(device) };
        }
    }
}

impl Driver {
    /// Sets something; the reason when it is refused.
    pub fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let (name, value) = (text(name), text(value));
        // SAFETY: both are strings that outlive the call.
        match unsafe { (self.lanescope_sim_set)(name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            107_000 => Err(self.message()),
            code => panic!("lanescope_sim_set returned {code}"),
        }
    }

    /// The text of the last failure of this thread.
    pub fn message(&self) -> String {
        // SAFETY: the call takes nothing.
        let text = unsafe { (self.aclGetRecentErrMsg)() };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: not null, so a string that lives until the next call of this thread.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_str().unwrap().to_owned()
    }

    /// Leaked objects so far, and a line for each.
    pub fn leaks(&self) -> (u64, String) {
        let mut text = vec![0u8; 1 << 16];
        // SAFETY: `text` has room for as many bytes as are named.
        let count =
            unsafe { (self.lanescope_sim_leaks)(text.as_mut_ptr().cast(), text.len() as u64) };
        let text = CStr::from_bytes_until_nul(&text).unwrap();
        (count, text.to_str().unwrap().to_owned())
    }

    pub fn calls(&self, name: &str) -> u64 {
        let name = text(name);
        // SAFETY: a string that outlives the call.
        unsafe { (self.lanescope_sim_calls)(name.as_ptr()) }
    }

    pub fn set_device(&self, device: i32) {
        // SAFETY: the call takes a number.
        let code = unsafe { (self.rtSetDevice)(device) };
        assert_eq!(code, 0, "{}", self.message());
    }

    pub fn reset(&self, device: i32) -> i32 {
        // SAFETY: the call takes a number.
        unsafe { (self.rtDeviceReset)(device) }
    }

    pub fn force_reset(&self, device: i32) -> i32 {
        // SAFETY: the call takes a number.
        unsafe { (self.aclrtResetDeviceForce)(device) }
    }

    pub fn malloc(&self, bytes: u64) -> Result<Pointer, i32> {
        let mut pointer = null_mut();
        // SAFETY: `pointer` is writable.
        match unsafe { (self.rtMalloc)(&raw mut pointer, bytes, 2, 0) } {
            0 => Ok(pointer),
            code => Err(code),
        }
    }

    pub fn free(&self, pointer: Pointer) -> i32 {
        // SAFETY: the driver does not follow the pointer.
        unsafe { (self.rtFree)(pointer) }
    }

    pub fn write(&self, to: Pointer, bytes: &[u8]) -> i32 {
        let count = bytes.len() as u64;
        // SAFETY: `bytes` is a slice; the driver checks the device address.
        unsafe { (self.rtMemcpy)(to, count, bytes.as_ptr().cast(), count, 1) }
    }

    pub fn read(&self, bytes: &mut [u8], from: Pointer) -> i32 {
        let count = bytes.len() as u64;
        // SAFETY: `bytes` is a slice; the driver checks the device address.
        unsafe { (self.rtMemcpy)(bytes.as_mut_ptr().cast(), count, from, count, 2) }
    }

    pub fn stream(&self) -> Result<Pointer, i32> {
        let mut stream = null_mut();
        // SAFETY: `stream` is writable.
        match unsafe { (self.rtStreamCreate)(&raw mut stream, 0) } {
            0 => Ok(stream),
            code => Err(code),
        }
    }

    pub fn destroy(&self, stream: Pointer) -> i32 {
        // SAFETY: the driver does not follow the pointer.
        unsafe { (self.rtStreamDestroy)(stream) }
    }

    pub fn sync(&self, stream: Pointer, limit_ms: i32) -> i32 {
        // SAFETY: the driver does not follow the pointer.
        unsafe { (self.rtStreamSynchronizeWithTimeout)(stream, limit_ms) }
    }

    pub fn query(&self, stream: Pointer) -> i32 {
        // SAFETY: the driver does not follow the pointer.
        unsafe { (self.rtStreamQuery)(stream) }
    }

    /// Launches AICPU kernel `name` with 112 argument bytes, of which `word` is the first.
    pub fn launch(&self, stream: Pointer, name: &str, blocks: u32, word: u64) -> i32 {
        let mut args = word.to_le_bytes().to_vec();
        args.resize(112, 0);
        let kernel_name = args.len() as u64;
        args.extend_from_slice(text(name).as_bytes_with_nul());
        let so_name = args.len() as u64;
        args.extend_from_slice(b"libx.so\0");
        let info = aicpu_args(&args, so_name, kernel_name);
        let op = c"op";
        // SAFETY: `info` is laid out as the structure and names `args`; both outlive the call.
        unsafe {
            (self.rtAicpuKernelLaunchExWithArgs)(
                5,
                op.as_ptr(),
                blocks,
                info.as_ptr(),
                null_mut(),
                stream,
                0,
            )
        }
    }
}

/// An `rtAicpuArgsEx_t`.
pub fn aicpu_args(args: &[u8], so_name: u64, kernel_name: u64) -> [u64; 9] {
    let address = args.as_ptr() as u64;
    [
        address,
        0,
        0,
        args.len() as u64,
        so_name | kernel_name << 32,
        0,
        0,
        0,
        0,
    ]
}

pub fn text(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// Where the driver of this test program is.
pub fn driver_dir(chip: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    let forward = Path::new(env!("CARGO_MANIFEST_DIR")).join("forward");
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cann-sys/include");
    let executable = std::env::current_exe().unwrap();
    let name = format!("driver-{}", executable.file_name().unwrap().display());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("chip"), format!("{chip}\n")).unwrap();
    std::fs::copy(state_library(), dir.join("liblanescope_sim.so")).unwrap();
    for name in ["runtime", "ascendcl", "ascend_hal"] {
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]);
        cc.arg(format!("-Wl,-soname,lib{name}.so"));
        cc.args([
            "-Wl,-rpath,$ORIGIN",
            "-Wl,--disable-new-dtags",
            "-Wl,--no-undefined",
        ]);
        cc.arg("-I")
            .arg(&header)
            .arg("-o")
            .arg(dir.join(format!("lib{name}.so")));
        cc.arg(forward.join(format!("{name}.c")));
        cc.arg("-L").arg(&dir).arg("-llanescope_sim");
        assert!(cc.status().unwrap().success(), "{cc:?}");
    }
    let mut cc = Command::new("cc");
    cc.args([
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-format-overflow",
        "-Wno-format-truncation",
    ]);
    cc.arg("-o")
        .arg(dir.join("lanescope-sim-device"))
        .arg(tests.join("device.c"));
    assert!(cc.status().unwrap().success(), "{cc:?}");
    dir
}

/// The state library that Cargo built with this test: beside it, without a hash in its name.
fn state_library() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.parent().unwrap().join("liblanescope_sim.so")
}

fn library(dir: &Path, name: &str) -> Library {
    let path = dir.join(format!("{name}.so"));
    // SAFETY: our own libraries run no code when they are loaded.
    unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.unwrap()
}

fn symbol<T: Copy>(library: &Library, name: &str) -> T {
    // SAFETY: the table in `functions!` gives the type of each symbol as its prototype does.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    *symbol.unwrap_or_else(|error| panic!("{name}: {error}"))
}
