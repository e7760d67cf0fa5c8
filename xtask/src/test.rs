//! `cargo xtask test`: build what the tests run on, then run all of them, model checkers included.

use crate::checker::Checker;
use crate::selection::Selection;
use crate::workspace::{self, check, step};
use crate::{build, loom, mutants};
use anyhow::{Context, Result, anyhow, ensure};
use cargo_metadata::TargetKind;
use std::collections::BTreeSet;
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
    step("build folders", || build::build(&selections()?))?;
    // Who names a test wants that one.
    if !arguments.arguments.is_empty() {
        return check(cargo_test().args(&arguments.arguments));
    }
    step("test programs", || check(cargo_test().arg("--no-run")))?;
    let end_to_end = test_targets(|package| package == END_TO_END)?;
    let others = test_targets(|package| package != END_TO_END)?;
    // Most end-to-end tests wait for a device. What the others print follows at their end.
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            step("tests of the crates", || {
                aside(cargo_test().args(["--lib", "--bins"]).args(others))
            })
        });
        let checkers = scope.spawn(|| step("model checkers", under_model_checkers));
        let docs = step("end-to-end tests", || check(cargo_test().args(end_to_end)))
            .and_then(|()| step("examples in docs", || check(cargo_test().arg("--doc"))));
        let others = others.join().map_err(|_| anyhow!("a thread broke off"))?;
        let checkers = checkers.join().map_err(|_| anyhow!("a thread broke off"))?;
        docs.and(others).and(checkers)
    })?;
    step("mutants", || mutants::run(""))
}

/// The package whose tests run on build folders.
const END_TO_END: &str = "lanescope-conformance";

fn cargo_test() -> Command {
    let mut cargo = workspace::cargo();
    // All that fails is told, not the first program alone.
    cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    cargo.args(["--features", "lanescope/a2a3,lanescope/a5"]);
    cargo.env("LANESCOPE_TEST_BUILDS", workspace::builds());
    cargo
}

/// `--test NAME` for every integration test of the packages that `is_wanted` names. A name that other
/// packages use as well is not the end-to-end tests' own.
fn test_targets(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let packages = workspace::packages()?;
    let tests = |is_wanted: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        let packages = packages.iter().filter(|package| is_wanted(&package.name));
        let targets = packages.flat_map(|package| &package.targets);
        let tests = targets.filter(|target| target.kind.contains(&TargetKind::Test));
        tests.map(|target| target.name.clone()).collect()
    };
    let mut wanted = tests(&is_wanted);
    if is_wanted(END_TO_END) {
        let others = tests(&|package| package != END_TO_END);
        wanted.retain(|name| !others.contains(name));
    }
    Ok(wanted
        .into_iter()
        .flat_map(|name| ["--test".to_owned(), name])
        .collect())
}

/// Runs a command beside others and prints what it said when it has ended.
fn aside(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot start cargo")?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "tests failed ({})", output.status);
    Ok(())
}

/// The protocol's two sides, and the host's threads, in many orders; then the build that weakens each
/// ordering.
fn under_model_checkers() -> Result<()> {
    loom::run(&loom::Arguments::default())?;
    let mut shuttle = Checker::Shuttle.cargo_test();
    shuttle.args(["--package", "lanescope-profiling", "--test", "shuttle"]);
    check(&mut shuttle)?;
    mutants::prepare()
}
