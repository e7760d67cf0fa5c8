//! `cargo xtask test`: build what the tests run on, then run all of them, model checkers included.

use crate::checker::Checker;
use crate::selection::Selection;
use crate::workspace::{self, check};
use crate::{build, loom, mutants};
use anyhow::{Result, anyhow};
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// Passed on to `cargo test`, such as a test's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// The tests build with the same profile as the folders, so nothing is compiled twice.
const PROFILE: &str = "dev";

/// Every ring size the end-to-end tests run with, on both chips.
const RING_SIZES: [&str; 5] = ["2", "1", "4", "8", "16"];

/// What the end-to-end tests run on.
pub fn selections() -> Result<Vec<Selection>> {
    let mut selections = Vec::new();
    for platform in ["a2a3sim", "a5sim"] {
        for ring_size in RING_SIZES {
            selections.push(Selection::parse(platform, Some(ring_size), PROFILE)?);
        }
    }
    Ok(selections)
}

pub fn run(arguments: &Arguments) -> Result<()> {
    build::build(&selections()?)?;
    let mut cargo = workspace::cargo();
    cargo.args([
        "test",
        "--workspace",
        "--locked",
        "--features",
        "lanescope/a2a3,lanescope/a5",
    ]);
    cargo.env("LANESCOPE_TEST_BUILDS", workspace::builds());
    cargo.args(&arguments.arguments);
    // Who names a test wants that one.
    if !arguments.arguments.is_empty() {
        return check(&mut cargo);
    }
    // Most tests wait for each other or for a device; meanwhile the other builds are made.
    std::thread::scope(|scope| {
        let prepared = scope.spawn(prepare_model_checkers);
        check(&mut cargo)?;
        prepared.join().map_err(|_| anyhow!("a build broke off"))?
    })?;
    under_model_checkers()
}

fn shuttle() -> Command {
    let mut shuttle = Checker::Shuttle.cargo_test();
    shuttle.args(["--package", "lanescope-profiling", "--test", "shuttle"]);
    shuttle
}

fn prepare_model_checkers() -> Result<()> {
    Checker::Loom.build_tests(loom::LOOM_TESTS)?;
    check(shuttle().arg("--no-run"))?;
    mutants::prepare()
}

/// The protocol's two sides, and the host's threads, in many orders; then each ordering weakened.
fn under_model_checkers() -> Result<()> {
    loom::run(&loom::Arguments::default())?;
    check(&mut shuttle())?;
    mutants::run("")
}
