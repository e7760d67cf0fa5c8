//! The project's own commands, one file each: `cargo xtask help` lists them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program"
)]

mod bench;
mod bindings;
mod build;
mod check_deps;
mod checker;
mod ci;
mod conformance;
mod device;
mod loom;
mod mutants;
mod native;
mod programs;
mod randomised;
mod run;
mod selection;
mod sizes;
mod stress;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run, test and check Lanescope")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build host library, command, AICPU program and AICore program into one folder
    Build(build::Arguments),
    /// Build everything and run an example with the swimlane on
    Run(run::Arguments),
    /// Build what the tests need and run all of them
    Test(test::Arguments),
    /// Run the randomised tests for as long as asked and print what they tried
    Stress(stress::Arguments),
    /// Try every interleaving of the protocol, or prove that weakened steps are found
    Loom(loom::Arguments),
    /// Everything CI checks: format, lints, dependency direction, generated files, tests
    Ci,
    /// Build for one platform and run the conformance suite on one of its devices
    Conformance(conformance::Arguments),
    /// Run the benches and print target, measured, ratio
    Bench(bench::Arguments),
    /// Check that dependencies between crates point the way the data flows
    CheckDeps,
    /// Check module docs, SAFETY texts and stray characters
    Tidy,
    /// Regenerate the vendor bindings from our header
    Bindgen(bindings::Arguments),
    /// Regenerate the C headers from the Rust sources
    Headers(bindings::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Build(arguments) => build::run(&arguments),
        Command::Run(arguments) => return run::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Stress(arguments) => stress::run(&arguments),
        Command::Loom(arguments) => loom::run(&arguments),
        Command::Ci => ci::run(),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::CheckDeps => check_deps::run(),
        Command::Tidy => tidy::run(),
        Command::Bindgen(arguments) => bindings::bindgen(&arguments),
        Command::Headers(arguments) => bindings::headers(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}
