//! `cargo xtask test`: build what the tests run on, then run all of them, model checkers included.

use crate::checker::Checker;
use crate::programs::{self, Programs, cpus, in_parallel};
use crate::selection::Selection;
use crate::workspace::{self, check, step};
use crate::{build, loom, mutants};
use anyhow::{Context, Result, anyhow, ensure};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

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
    let programs = step("test programs", || programs::build(&mut cargo_test()))?;
    thread::scope(|scope| {
        let checkers = scope.spawn(|| step("model checkers", under_model_checkers));
        let tests = step("tests", || run_all(&programs));
        let docs = step("examples in docs", || check(cargo_test().arg("--doc")));
        let checkers = checkers.join().map_err(|_| anyhow!("a thread broke off"))?;
        tests.and(docs).and(checkers)
    })
}

/// The package whose tests run on build folders. Most of them wait for a device.
const END_TO_END: &str = "lanescope-conformance";

fn cargo_test() -> Command {
    let mut cargo = workspace::cargo();
    // All that fails is told, not the first program alone.
    cargo.arg("test").args(workspace::whole());
    cargo.args(["--locked", "--no-fail-fast"]);
    cargo.args(["--features", "lanescope/a2a3,lanescope/a5"]);
    cargo.env("LANESCOPE_TEST_BUILDS", workspace::builds());
    cargo
}

/// Runs every program, one for each CPU at a time, and prints what each said when it has ended.
fn run_all(programs: &Programs) -> Result<()> {
    let mut programs: Vec<_> = programs.iter().collect();
    // The longest come first, so that the last to end is a short one.
    programs.sort_by_key(|((package, _), _)| package != END_TO_END);
    let stdout = Mutex::new(());
    let ends = in_parallel(&programs, cpus(), |((package, target), program)| {
        let begin = Instant::now();
        let mut command = program.command();
        command.env("LANESCOPE_TEST_BUILDS", workspace::builds());
        let output = command
            .output()
            .with_context(|| format!("cannot start {target} of {package}"))?;
        let _guard = stdout.lock();
        println!("xtask: {target} of {package}: {:.1?}", begin.elapsed());
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Ok((!output.status.success()).then(|| format!("{target} of {package}")))
    });
    let ends: Result<Vec<_>> = ends.into_iter().collect();
    let failed: Vec<_> = ends?.into_iter().flatten().collect();
    ensure!(failed.is_empty(), "tests failed: {}", failed.join(", "));
    Ok(())
}

/// The protocol's two sides, and the host's threads, in many orders; then each ordering weakened, which its
/// test must notice.
fn under_model_checkers() -> Result<()> {
    loom::run(&loom::Arguments::default())?;
    let mut shuttle = Checker::Shuttle.cargo_test();
    shuttle.args(["--package", "lanescope-profiling", "--test", "shuttle"]);
    check(&mut shuttle)?;
    step("mutants", || mutants::run(""))
}
