//! What is said when the driver is missing or lacks functions.

mod fake;

use cann_sys::{LoadError, load};
use fake::FakeDriver;

#[test]
fn a_missing_library_is_named_with_every_path_tried() {
    let folder = std::env::temp_dir().join("lanescope-no-driver-here");
    let LoadError::NotFound { library, tried } = load(Some(&folder), &[]).unwrap_err() else {
        panic!("expected `NotFound`");
    };
    assert_eq!(library, "libascend_hal.so");
    let expected = format!(
        "{} (no such file)",
        folder.join("libascend_hal.so").display()
    );
    assert_eq!(tried, [expected]);
}

#[test]
fn a_file_that_is_no_library_is_named_with_the_loaders_reason() {
    let driver = FakeDriver::build(&[]);
    std::fs::write(driver.folder().join("libruntime.so"), "no library").unwrap();
    let error = load(Some(driver.folder()), &[]).unwrap_err().to_string();
    assert!(
        error.contains("libruntime.so could not be opened"),
        "{error}"
    );
    assert!(
        error.contains("invalid ELF header") || error.contains("too short"),
        "{error}"
    );
}

#[test]
fn every_missing_function_is_named_at_once() {
    let driver = FakeDriver::build(&["WITHOUT_LAUNCH", "WITHOUT_REGISTERS"]);
    let required = [
        "rtSetDevice",
        "rtRegisterAllKernel",
        "halMemCtl",
        "rtKernelLaunchWithHandleV2",
        "no_such_function",
    ];
    let LoadError::SymbolsMissing { names, libraries } =
        load(Some(driver.folder()), &required).unwrap_err()
    else {
        panic!("expected `SymbolsMissing`");
    };
    assert_eq!(
        names,
        [
            "rtRegisterAllKernel",
            "halMemCtl",
            "rtKernelLaunchWithHandleV2",
            "no_such_function"
        ]
    );
    assert!(libraries.iter().any(|path| path.ends_with("libruntime.so")));
}

#[test]
fn a_driver_is_opened_once_and_knows_what_it_has() {
    let driver = FakeDriver::build(&["BY_NAME"]);
    let first = load(Some(driver.folder()), &["rtSetDevice"]).unwrap();
    let second = load(Some(driver.folder()), &["halMemCtl"]).unwrap();
    assert!(std::ptr::eq(first, second));
    assert!(first.has("rtsLaunchCpuKernel"));
    assert!(first.has("aclrtResetDeviceForce"));
    assert!(!first.has("rtGetC2cCtrlAddr"));
    assert!(first.simulator.is_none());
}
