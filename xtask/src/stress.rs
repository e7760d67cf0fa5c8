//! `cargo xtask stress`: the randomised tests for as long as asked, each with seeds of its own.

use crate::randomised::{self, RandomisedTest};
use crate::workspace::{self, check};
use crate::{build, test};
use anyhow::{Context, Result, anyhow, ensure};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A test that goes on for longer after its time hangs; a sweep over all driver calls takes minutes.
const LONGEST_CASE: Duration = Duration::from_secs(900);

#[derive(clap::Args)]
pub struct Arguments {
    /// Minutes in all, builds not counted
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The first seed; by default from the clock, and printed
    #[arg(long)]
    seed: Option<u64>,
    /// Only tests whose name contains this
    filter: Option<String>,
}

/// What all tests have tried so far, in the order it is printed.
#[derive(Default)]
struct Sums {
    names: Vec<String>,
    counts: BTreeMap<String, u64>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut tests = randomised::find()?;
    if let Some(filter) = &arguments.filter {
        tests.retain(|test| test.name.contains(filter.as_str()));
    }
    ensure!(!tests.is_empty(), "no randomised test has such a name");
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => seed_of_now()?,
    };
    // Only the end-to-end tests run on build folders.
    if tests
        .iter()
        .any(|test| test.package == "lanescope-conformance")
    {
        build::build(&test::selections()?)?;
    }
    for test in &tests {
        check(cargo(test).arg("--no-run"))?;
    }
    let seconds = (arguments.minutes * 60 / tests.len() as u64).max(1);
    println!("{} tests, {seconds} s each, first seed {seed}", tests.len());
    let mut sums = Sums::default();
    let mut failures = Vec::new();
    for test in &tests {
        if let Some(failed) = stress(test, seed, seconds, &mut sums)? {
            failures.push(failed);
        }
    }
    println!("in all: {}", sums.line());
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Runs one test; returns how to run it again when it failed.
fn stress(
    test: &RandomisedTest,
    seed: u64,
    seconds: u64,
    sums: &mut Sums,
) -> Result<Option<String>> {
    let mut cargo = cargo(test);
    cargo
        .args(["--", "--nocapture", &test.name])
        .env("LANESCOPE_STRESS_SEED", seed.to_string())
        .env("LANESCOPE_STRESS_SECONDS", seconds.to_string());
    let seed_file = workspace::target().join("stress-seed");
    std::fs::write(&seed_file, seed.to_string()).context("cannot write in the target folder")?;
    cargo.env("LANESCOPE_STRESS_SEED_FILE", &seed_file);
    let limit = Duration::from_secs(seconds) + LONGEST_CASE;
    let Some((is_success, text)) = within(limit, cargo)? else {
        let seed = std::fs::read_to_string(&seed_file).context("the seed is gone")?;
        return Ok(Some(test.again("hangs", &seed)));
    };
    let mut failed = seed.to_string();
    let mut has_spoken = false;
    for line in text.lines() {
        // The harness writes "test name ... " before what the test prints.
        let Some((_, said)) = line.split_once("stress: ") else {
            continue;
        };
        has_spoken = true;
        println!("{said}");
        match said.split_once(" failed seed=") {
            Some((_, seed)) => failed = seed.to_owned(),
            None => sums.add(said),
        }
    }
    if is_success {
        ensure!(
            has_spoken,
            "{} ran no test called {}",
            test.package,
            test.name
        );
        return Ok(None);
    }
    eprint!("{text}");
    Ok(Some(test.again("failed", &failed)))
}

/// Runs a command and all it starts to its end; returns whether it succeeded and what it printed, or
/// `None` when it had to be killed.
fn within(limit: Duration, mut command: Command) -> Result<Option<(bool, String)>> {
    let mut child = command
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot start cargo")?;
    let mut output = child.stdout.take().context("cargo has no output")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).map(|_| bytes)
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > limit {
            let group = format!("-{}", child.id());
            check(Command::new("kill").args(["-KILL", "--", &group]))?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let bytes = reader.join().map_err(|_| anyhow!("a thread broke off"))??;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(status.map(|status| (status.success(), text)))
}

impl RandomisedTest {
    /// What became of it, and how to see it again.
    fn again(&self, ended: &str, seed: &str) -> String {
        let name = &self.name;
        format!(
            "{name}: {ended} with seed {seed}; again: cargo xtask stress --seed {seed} --minutes 1 {name}"
        )
    }
}

fn cargo(test: &RandomisedTest) -> Command {
    let mut cargo = test.checker.cargo_test();
    cargo.args(["--package", &test.package]);
    match &test.target {
        None => cargo.arg("--lib"),
        Some(target) => cargo.args(["--test", target]),
    };
    cargo.env("LANESCOPE_TEST_BUILDS", workspace::builds());
    cargo
}

impl Sums {
    /// Adds the counts of a line `test=… seeds=1 runs=2 …`.
    fn add(&mut self, line: &str) {
        for item in line.split_whitespace() {
            let Some((name, number)) = item.split_once('=') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            if !self.counts.contains_key(name) {
                self.names.push(name.to_owned());
            }
            *self.counts.entry(name.to_owned()).or_default() += number;
        }
    }

    fn line(&self) -> String {
        let items = self.names.iter();
        let items = items.map(|name| format!("{} {name}", self.counts[name]));
        items.collect::<Vec<_>>().join(", ")
    }
}

fn seed_of_now() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.context("the clock is set before 1970")?.as_secs())
}
