//! `cargo xtask ci`: everything CI checks, in the order that fails fastest.

use crate::bindings;
use crate::workspace::{self, check, step};
use crate::{check_deps, tidy};
use anyhow::Result;
use std::process::Command;

pub fn run() -> Result<()> {
    step("format", || {
        check(workspace::cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("dependency direction", check_deps::run)?;
    step("tidy", tidy::run)?;
    step("generated files", bindings::check_all)?;
    step("lints", || {
        check(
            workspace::cargo()
                .arg("clippy")
                .args(workspace::whole())
                .args([
                    "--all-targets",
                    "--locked",
                    "--features",
                    "lanescope/a2a3,lanescope/a5",
                    "--",
                    "-D",
                    "warnings",
                ]),
        )
    })?;
    // The same command the README gives.
    step("tests", || {
        check(
            Command::new("cargo")
                .current_dir(workspace::root())
                .args(["xtask", "test"]),
        )
    })?;
    // What we write, read by programs that are not ours.
    step("page in a browser", || script("ci/browser.sh"))?;
    // It checks the runs that the step before it made, too.
    step("Perfetto's own decoder", || script("ci/perfetto.sh"))
}

fn script(path: &str) -> Result<()> {
    check(
        Command::new("bash")
            .arg(path)
            .current_dir(workspace::root()),
    )
}
