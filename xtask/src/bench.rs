//! `cargo xtask bench`: run every bench and print target, measured and ratio in one table.

use crate::build;
use crate::selection::Selection;
use crate::sizes;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::process::Stdio;

#[derive(clap::Args)]
pub struct Arguments {
    /// Only benches whose name contains this
    filter: Option<String>,
    /// Instead: every export, report and comparison on made-up runs of so many tasks [default: 10 k,
    /// 100 k, 1 M and 10 M]; the largest takes 20 GB of disk
    #[arg(long, value_name = "TASKS", num_args = 0.., value_delimiter = ',', conflicts_with = "filter")]
    sizes: Option<Vec<u64>>,
}

/// A bench prints one such line per row: `row: name | target | measured | ratio`.
const ROW: &str = "row: ";

/// Packages and their benches, in the order the data flows.
const BENCHES: &[(&str, &str)] = &[
    ("lanescope-aicore", "publish"),
    ("lanescope-aicpu", "commit"),
    ("lanescope-profiling", "drain"),
    ("lanescope-profiling", "pipe"),
    ("lanescope-export", "perfetto"),
    ("lanescope-export", "merged_swimlane"),
    ("lanescope-report", "report"),
    ("lanescope-conformance", "slice"),
    ("lanescope-conformance", "observer"),
];

const SIZES: &[u64] = &[10_000, 100_000, 1_000_000, 10_000_000];

pub fn run(arguments: &Arguments) -> Result<()> {
    match arguments.sizes.as_deref() {
        Some([]) => return sizes::run(SIZES),
        Some(given) => return sizes::run(given),
        None => {}
    }
    let selections = ["a2a3sim", "a5sim"]
        .map(|platform| Selection::parse(platform, None, "release"))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    build::build(&selections)?;
    let mut rows = Vec::new();
    for (package, bench) in BENCHES {
        if arguments
            .filter
            .as_ref()
            .is_some_and(|filter| !bench.contains(filter.as_str()))
        {
            continue;
        }
        eprintln!("xtask: bench {bench} of {package}");
        let mut cargo = workspace::cargo();
        cargo.args([
            "bench",
            "--quiet",
            "--locked",
            "--package",
            package,
            "--bench",
            bench,
        ]);
        cargo
            .env("LANESCOPE_TEST_BUILDS", workspace::builds())
            .env("LANESCOPE_TEST_PROFILE", "release")
            .stderr(Stdio::inherit());
        let output = cargo.output().context("cannot start cargo")?;
        ensure!(
            output.status.success(),
            "bench {bench} of {package} failed ({})",
            output.status
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix(ROW))
            .map(str::to_owned)
            .collect();
        ensure!(
            !found.is_empty(),
            "bench {bench} of {package} printed no row"
        );
        rows.extend(found);
    }
    println!("| step | target | measured | ratio |");
    println!("|---|---|---|---|");
    for row in rows {
        println!("| {row} |");
    }
    Ok(())
}
