//! `cargo xtask test`: build what the tests run on, then run all of them, model checkers included.

use crate::checker::Checker;
use crate::programs::{self, Program, Programs, cpus, in_parallel};
use crate::selection::Selection;
use crate::workspace::{self, check, step};
use crate::{build, loom, mutants};
use anyhow::{Context, Result, anyhow, ensure};
use std::path::PathBuf;
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
pub const PROFILE: &str = "dev";

/// Every ring size the end-to-end tests run with, on both chips. The default is built last, so that it is
/// what later builds find.
const RING_SIZES: [&str; 5] = ["16", "8", "4", "1", "2"];

/// What the end-to-end tests run on. Most of an AICPU program depends on the ring size and little on the
/// chip, so one size after the other is compiled anew least often.
pub fn selections() -> Result<Vec<Selection>> {
    let mut selections = Vec::new();
    for ring_size in RING_SIZES {
        for platform in ["a5sim", "a2a3sim"] {
            selections.push(Selection::parse(platform, Some(ring_size), PROFILE)?);
        }
    }
    Ok(selections)
}

pub fn run(arguments: &Arguments) -> Result<()> {
    step("build folders", || build_folders(&selections()?))?;
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

/// The package whose tests run on build folders.
const END_TO_END: &str = "lanescope-conformance";

/// The programs that take longest, longest first: the last to end is to be a short one.
const LONGEST: [(&str, &str); 10] = [
    (END_TO_END, "collectors"),
    (END_TO_END, "threads"),
    (END_TO_END, "residency"),
    (END_TO_END, "scale"),
    (END_TO_END, "calls"),
    ("lanescope-profiling", "hostile_fields"),
    ("lanescope-profiling", "hostile"),
    ("lanescope-aicpu-program", "cpp_scheduler"),
    ("lanescope-aicpu", "chip"),
    (END_TO_END, "faults"),
];

/// The program that waits for limits to run out, and leaves the CPUs to others meanwhile.
const WAITING: (&str, &str) = (END_TO_END, "waits");

/// Builds these folders. Their host part comes from the packages and features that the tests are built with:
/// with others, most of it would be compiled once more for them.
pub fn build_folders(selections: &[Selection]) -> Result<Vec<PathBuf>> {
    let mut cargo = whole("build");
    cargo.args(["--quiet", "--lib"]);
    cargo.args(["--bin", "lanescope", "--bin", "lanescope-sim-device"]);
    // Without a test, whichever, cargo leaves out features that tests alone ask for.
    cargo.args(["--test", "staleness"]);
    check(&mut cargo)?;
    build::assemble_all(selections)
}

fn cargo_test() -> Command {
    let mut cargo = whole("test");
    // All that fails is told, not the first program alone.
    cargo.arg("--no-fail-fast");
    cargo.env("LANESCOPE_TEST_BUILDS", workspace::builds());
    cargo
}

/// A command of cargo's for the whole workspace.
pub fn whole(command: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo.arg(command).args(workspace::whole()).arg("--locked");
    cargo.args(["--features", "lanescope/a2a3,lanescope/a5"]);
    cargo
}

/// Runs every program, one for each CPU at a time and the one that waits beside them.
fn run_all(programs: &Programs) -> Result<()> {
    let (waiting, mut busy): (Vec<_>, Vec<_>) = programs
        .iter()
        .partition(|((package, target), _)| (package.as_str(), target.as_str()) == WAITING);
    busy.sort_by_key(|(key, _)| rank(key));
    let stdout = Mutex::new(());
    let run = |entry: &(_, _)| run_one(entry.0, entry.1, &stdout);
    let ends = thread::scope(|scope| {
        let waiting = scope.spawn(|| in_parallel(&waiting, 1, run));
        let mut ends = in_parallel(&busy, cpus(), run);
        ends.extend(waiting.join().expect("no thread panics"));
        ends
    });
    let ends: Result<Vec<_>> = ends.into_iter().collect();
    let failed: Vec<_> = ends?.into_iter().flatten().collect();
    ensure!(failed.is_empty(), "tests failed: {}", failed.join(", "));
    Ok(())
}

/// The place of a program among those that run one after the other.
fn rank((package, target): &(String, String)) -> (usize, bool) {
    let mut longest = LONGEST.iter();
    let place = longest.position(|key| *key == (package.as_str(), target.as_str()));
    // Of the others those that open a device take longest.
    (place.unwrap_or(LONGEST.len()), package != END_TO_END)
}

/// Runs one program and prints what it said when it has ended; its name if it failed.
fn run_one(
    (package, target): &(String, String),
    program: &Program,
    stdout: &Mutex<()>,
) -> Result<Option<String>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that got another name would run at another time, and nobody would know.
    #[test]
    fn programs_with_a_place_of_their_own_exist() {
        let packages = workspace::packages().unwrap();
        for (package, target) in LONGEST.into_iter().chain([WAITING]) {
            let package = packages.iter().find(|known| known.name == package).unwrap();
            let is_there = package.targets.iter().any(|known| known.name == target);
            assert!(is_there, "{target} of {}", package.name);
        }
    }
}
