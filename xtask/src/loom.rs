//! `cargo xtask loom`: every interleaving of the protocol's sides, and whether weakened steps are found.

use crate::checker::Checker;
use crate::programs::{self, LIBRARY, Programs};
use crate::{mutants, workspace};
use anyhow::{Result, ensure};

#[derive(Default, clap::Args)]
pub struct Arguments {
    /// Weaken the orderings one at a time, and prove that the test named for each notices
    #[arg(long)]
    mutants: bool,
    /// Print the table of mutants and run nothing
    #[arg(long)]
    list: bool,
    /// Only tests, or mutants, whose name contains this
    filter: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let filter = arguments.filter.as_deref().unwrap_or("");
    if arguments.list {
        mutants::list(filter);
        return Ok(());
    }
    if arguments.mutants {
        return mutants::run(filter);
    }
    let tests = Checker::Loom.build_tests(LOOM_TESTS)?;
    for ((package, target), test) in &tests {
        eprintln!("xtask: {target} of {package}");
        let mut command = test.command();
        // One test at a time, so that what it prints stays together.
        command.args(["--nocapture", "--test-threads", "1"]);
        let is_library = target == LIBRARY && filter.is_empty();
        let filter = if is_library { LIBRARY_MODULE } else { filter };
        workspace::check(command.arg(filter))?;
    }
    Ok(())
}

/// Packages and targets that run under the model checker.
pub const LOOM_TESTS: &[(&str, &str)] = &[
    ("lanescope-ring", "loom"),
    ("lanescope-aicpu", "loom"),
    ("lanescope-profiling", LIBRARY),
];

/// Of a library's unit tests those in this module run under the model checker.
const LIBRARY_MODULE: &str = "interleavings::";

impl Checker {
    /// Builds test targets and returns their programs by package and target.
    pub fn build_tests(self, targets: &[(&str, &str)]) -> Result<Programs> {
        let mut programs = Programs::new();
        let (libraries, tests): (Vec<_>, Vec<_>) =
            targets.iter().partition(|(_, target)| *target == LIBRARY);
        for (targets, is_library) in [(tests, false), (libraries, true)] {
            if targets.is_empty() {
                continue;
            }
            let mut cargo = self.cargo_test();
            for (package, target) in targets {
                cargo.args(["--package", package]);
                if !is_library {
                    cargo.args(["--test", target]);
                }
            }
            cargo.args(is_library.then_some("--lib"));
            programs.extend(programs::build(&mut cargo)?);
        }
        for (package, target) in targets {
            let key = ((*package).to_owned(), (*target).to_owned());
            ensure!(
                programs.contains_key(&key),
                "{package} has no test {target}"
            );
        }
        Ok(programs)
    }
}
