//! `cargo xtask check-deps`: dependencies point against the data flow, and backends stay apart.

use crate::workspace;
use anyhow::{Result, ensure};
use cargo_metadata::{DependencyKind, Package};

/// Crates in the order the data flows; a crate may depend only on crates before it.
const ORDER: &[&str] = &[
    "lanescope-stress",
    "lanescope-abi",
    "lanescope-ring",
    "lanescope-aicore",
    "lanescope-aicpu",
    "lanescope-aicpu-program",
    "lanescope-aicpu-dispatcher",
    "lanescope-platform",
    "cann-sys",
    "lanescope-cann",
    "lanescope-a2a3",
    "lanescope-a5",
    "lanescope-sim-wire",
    "lanescope-sim-driver",
    "lanescope-sim-device",
    "lanescope-capture",
    "lanescope-profiling",
    "lanescope-trace",
    "lanescope-export",
    "lanescope-report",
    "lanescope-view",
    "lanescope-runtime",
    "lanescope",
    "lanescope-examples",
    "lanescope-cli",
    "lanescope-sql",
    "lanescope-conformance",
    "xtask",
];

/// Who may name these crates at all, tests included.
const ONLY_FROM: &[(&str, &[&str])] = &[
    ("lanescope-a2a3", &["lanescope"]),
    ("lanescope-a5", &["lanescope"]),
    (
        "cann-sys",
        &["lanescope-cann", "lanescope-a2a3", "lanescope-a5"],
    ),
    ("lanescope-cann", &["lanescope-a2a3", "lanescope-a5"]),
    (
        "lanescope-sim-wire",
        &["lanescope-sim-driver", "lanescope-sim-device"],
    ),
    ("lanescope-sim-driver", &[]),
    ("lanescope-sim-device", &[]),
];

/// Crates that decode and present; none of them may reach a device.
const SEES_NO_DEVICE: &[&str] = &[
    "lanescope-trace",
    "lanescope-export",
    "lanescope-report",
    "lanescope-view",
    "lanescope-sql",
];
const DEVICE_CRATES: &[&str] = &[
    "lanescope-platform",
    "lanescope-profiling",
    "lanescope-runtime",
    "lanescope",
];

pub fn run() -> Result<()> {
    let mut faults = Vec::new();
    for package in &workspace::packages()? {
        faults.extend(check_package(package));
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

fn check_package(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let Some(place) = place(name) else {
        return vec![format!(
            "{name} has no place in the order of xtask/src/check_deps.rs"
        )];
    };
    let mut faults = Vec::new();
    for dependency in &package.dependencies {
        let on = dependency.name.as_str();
        let Some(on_place) = self::place(on) else {
            continue;
        };
        let is_test = dependency.kind == DependencyKind::Development;
        if on_place >= place && !is_test {
            faults.push(format!(
                "{name} depends on {on}, which lies behind it in the data flow"
            ));
        }
        if let Some((_, allowed)) = ONLY_FROM.iter().find(|(crate_name, _)| *crate_name == on)
            && !allowed.contains(&name)
        {
            faults.push(format!("{name} names {on}; only {allowed:?} may"));
        }
        if SEES_NO_DEVICE.contains(&name) && DEVICE_CRATES.contains(&on) {
            faults.push(format!("{name} must not see a device, but depends on {on}"));
        }
    }
    faults
}

fn place(name: &str) -> Option<usize> {
    ORDER.iter().position(|crate_name| *crate_name == name)
}
