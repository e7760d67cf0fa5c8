//! `cargo xtask test`: build what the tests run on, then run all of them, model checkers included.

use crate::checker::Checker;
use crate::selection::Selection;
use crate::workspace::{self, check};
use crate::{build, loom};
use anyhow::Result;

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
    check(cargo.args(&arguments.arguments))?;
    // Who names a test wants that one.
    if arguments.arguments.is_empty() {
        under_model_checkers()?;
    }
    Ok(())
}

/// The protocol's two sides, and the host's threads, in many orders.
fn under_model_checkers() -> Result<()> {
    loom::run(&loom::Arguments::default())?;
    let mut shuttle = Checker::Shuttle.cargo_test();
    shuttle.args(["--package", "lanescope-profiling", "--test", "shuttle"]);
    check(&mut shuttle)
}
