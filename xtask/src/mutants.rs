//! `cargo xtask loom --mutants`: each ordering weakened in turn, and the test that must notice.
//!
//! A mutant is a step of the shipping code that a build with `--cfg lanescope_mutants` leaves out or
//! does wrong when `LANESCOPE_MUTANT` holds its name; see `crates/abi/src/mutant.rs`. For each the
//! named test must pass without it and fail with it.

use crate::checker::Checker;
use crate::programs::{self, Program, Programs, cpus, in_parallel};
use crate::selection::Selection;
use crate::{build, test, workspace};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod table;
use table::{MUTANTS, Mutant};

/// Names the mutant of a process.
pub const VARIABLE: &str = "LANESCOPE_MUTANT";

/// A test that takes longer hangs, with a mutant or without: it must not be called so because the machine is busy.
const LIMIT: Duration = Duration::from_secs(600);

/// Platforms whose device programs are weakened.
const PLATFORMS: [&str; 2] = ["a5sim", "a2a3sim"];

/// Prints the table.
pub fn list(filter: &str) {
    println!("ordering | mutant | where | caught by");
    for mutant in MUTANTS.iter().filter(|mutant| mutant.name.contains(filter)) {
        println!("{}", mutant.line());
    }
}

/// Runs every mutant whose name contains `filter` and prints what came of it.
pub fn run(filter: &str) -> Result<()> {
    let mutants: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| mutant.name.contains(filter))
        .collect();
    ensure!(!mutants.is_empty(), "no mutant is called '{filter}'");
    let programs = build(&mutants)?;
    let sound = pass_without(&mutants, &programs)?;
    let results = in_parallel(&mutants, cpus(), |mutant| -> Result<_> {
        if sound.get(&mutant.test_key()) != Some(&Ended::Passed) {
            return Ok("its test fails without it");
        }
        let ended = mutant.run(&programs, mutant.name)?;
        Ok(match ended {
            Ended::Failed => "caught",
            Ended::Passed => "not caught",
            Ended::Hung => "hangs",
        })
    });
    println!("ordering | mutant | where | caught by | result");
    let mut missed = Vec::new();
    for (mutant, result) in mutants.iter().zip(results) {
        let result = result?;
        println!("{} | {result}", mutant.line());
        if result != "caught" {
            missed.push(mutant.name);
        }
    }
    if missed.is_empty() {
        println!("all {} mutants caught", mutants.len());
        return Ok(());
    }
    bail!("not caught: {}", missed.join(", "))
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    Hung,
}

/// Test programs by what they run under.
type AllPrograms = BTreeMap<Checker, Programs>;

/// Builds what the mutants' tests run on, once for each configuration.
fn build(mutants: &[&Mutant]) -> Result<AllPrograms> {
    let mut programs = AllPrograms::new();
    for checker in [Checker::Loom, Checker::Shuttle, Checker::Mutants] {
        let targets = targets(mutants, checker);
        if !targets.is_empty() {
            programs.insert(checker, checker.build_tests(&targets)?);
        }
    }
    let targets = targets(mutants, Checker::None);
    if !targets.is_empty() {
        // As every other test is built, so that nothing of the host is built again for mutants: only the
        // device programs that it loads are.
        let mut cargo = test::whole("test");
        for (_, target) in targets {
            cargo.args(["--test", target]);
        }
        programs.insert(Checker::None, programs::build(&mut cargo)?);
        build_folders()?;
    }
    Ok(programs)
}

/// Builds what an ordinary test program runs on, with device programs that can be weakened.
fn build_folders() -> Result<()> {
    let selections = PLATFORMS.map(|name| Selection::parse(name, Some("2"), test::PROFILE));
    let selections = selections.into_iter().collect::<Result<Vec<_>>>()?;
    let folders = test::build_folders(&selections)?;
    for (selection, folder) in selections.iter().zip(folders) {
        build::weaken(selection, &folder, Checker::Mutants)?;
    }
    Ok(())
}

/// Package and target of each test that runs under this checker.
fn targets(mutants: &[&Mutant], checker: Checker) -> Vec<(&'static str, &'static str)> {
    let mutants = mutants.iter().filter(|mutant| mutant.checker == checker);
    let targets = mutants.map(|mutant| (mutant.package, mutant.target));
    let targets: BTreeSet<_> = targets.collect();
    targets.into_iter().collect()
}

/// How each distinct test ends when nothing is weakened.
fn pass_without(mutants: &[&Mutant], programs: &AllPrograms) -> Result<BTreeMap<TestKey, Ended>> {
    let tests: BTreeMap<_, _> = mutants
        .iter()
        .map(|mutant| (mutant.test_key(), *mutant))
        .collect();
    let tests: Vec<_> = tests.into_iter().collect();
    let results = in_parallel(&tests, cpus(), |(_, mutant)| mutant.run(programs, "none"));
    tests
        .iter()
        .zip(results)
        .map(|((key, _), ended)| Ok((*key, ended?)))
        .collect()
}

/// Package, target and name of a test.
type TestKey = (&'static str, &'static str, &'static str);

impl Mutant {
    fn line(&self) -> String {
        let Self {
            ordering,
            name,
            place,
            package,
            target,
            test,
            ..
        } = self;
        format!("{ordering} | {name} | {place} | {package} {target} {test}")
    }

    fn test_key(&self) -> TestKey {
        (self.package, self.target, self.test)
    }

    /// Runs its test, with the mutant of this name if there is one.
    fn run(&self, programs: &AllPrograms, name: &str) -> Result<Ended> {
        let key = (self.package.to_owned(), self.target.to_owned());
        let program = programs.get(&self.checker);
        let program = program.and_then(|programs| programs.get(&key));
        let program: &Program = program.context("every test was built")?;
        let mut command = program.command();
        let builds = workspace::builds_in(&Checker::Mutants.target());
        command
            .args(["--exact", self.test, "--test-threads", "1"])
            .env("LANESCOPE_TEST_BUILDS", builds)
            .env("RUST_BACKTRACE", "0")
            .env(VARIABLE, name)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        await_end(&mut command).with_context(|| format!("running {}", self.test))
    }
}

fn await_end(command: &mut Command) -> Result<Ended> {
    let begin = Instant::now();
    let mut child = command.spawn().context("the test does not start")?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() {
                Ended::Passed
            } else {
                Ended::Failed
            });
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Hung);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
