//! A scheduler in C++ drives the record API: the static library is linked with it into an AICPU
//! program of its own, which runs a graph on the chip in miniature, on both chips.

#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use lanescope_abi::Chip;
use lanescope_abi::control::DeviceError;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use support::{Fault, Setup, chain};

#[test]
fn a_cpp_scheduler_gets_every_task_recorded_on_both_chips() {
    for chip in Chip::ALL {
        let program = build(chip);
        let mut setup = Setup::new(chain(5, 200));
        setup.chip = chip;
        let (device, header) = setup.build();
        let status = table::run(&program, &device);
        let result = match status {
            0 => Ok(()),
            error => Err(failure(error)),
        };
        setup
            .outcome(&device, &header, vec![result])
            .assert_exact(&setup);
    }
}

#[test]
fn its_failures_reach_the_status_line_and_what_was_recorded_is_kept() {
    let program = build(Chip::A2a3);
    let mut setup = Setup::new(chain(5, 200));
    setup.faults = vec![(1, Fault::Cond(3, 12345))];
    let (device, header) = setup.build();
    let status = table::run(&program, &device);
    assert_eq!(status, DeviceError::BadCond as i32);
    let outcome = setup.outcome(&device, &header, vec![Err(failure(status))]);
    let line = outcome.first_failure();
    assert_eq!((line.error, line.core), (DeviceError::BadCond as u32, 1));
    assert!(!outcome.records.is_empty());
    assert_eq!(outcome.records.len() as u64, outcome.counters.total);
}

fn failure(error: i32) -> lanescope_aicpu::Failure {
    let error = u32::try_from(error).ok().and_then(DeviceError::from_raw);
    lanescope_aicpu::Failure::new(error.expect("an entry returns a device error"))
}

/// The C++ scheduler and the static library as one program; built once for each chip.
fn build(chip: Chip) -> PathBuf {
    static BUILT: Mutex<Vec<Chip>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpp-scheduler");
    let program = folder.join(format!("{}.so", chip.name()));
    if built.contains(&chip) {
        return program;
    }
    let library = static_library(&folder, chip);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let flags = "-std=c++17 -O2 -shared -fPIC -Wall -Wextra -Werror -o";
    run(Command::new(compiler)
        .args(flags.split(' '))
        .arg(&program)
        .arg(package.join("tests/cpp_scheduler.cpp"))
        .arg("-I")
        .arg(package.join("../include"))
        .arg("-I")
        .arg(package.join("../../abi/include"))
        .arg("-Wl,--whole-archive")
        .arg(library)
        .args(["-Wl,--no-whole-archive", "-lpthread", "-ldl"]));
    built.push(chip);
    program
}

/// The program without our executor: only the record API and `lanescope_bind` are left.
fn static_library(folder: &Path, chip: Chip) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    run(Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--no-default-features"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(folder)
        .env("LANESCOPE_CHIP", chip.name())
        .env("LANESCOPE_RING_SIZE", "2"));
    folder.join("debug/liblanescope_aicpu_program.a")
}

fn run(command: &mut Command) {
    let status = command.status().expect("the tool can be started");
    assert!(status.success(), "{command:?} failed ({status})");
}
