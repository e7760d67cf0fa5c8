//! The `lanescope` command: run a workload, report on a run, export it, look into its tensors,
//! show it in a browser, ask it in SQL, measure what collecting costs, make up a run, describe a
//! platform.
//!
//! Data goes to stdout, everything else to stderr behind `lanescope: `. Exit 0: good; 1: it
//! finished, and data was lost or numbers differ; 2: it could not be done.

mod arguments;
mod build_folder;
mod collect;
mod device_log;
mod diff;
mod dump;
mod export;
mod files;
mod glob;
mod import;
mod info;
mod merge;
mod optional_values;
mod output;
mod overhead;
mod progress;
mod reference;
mod report;
mod results;
mod run;
mod sql;
mod synth;
mod view;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use std::process::ExitCode;

fn main() -> ExitCode {
    start_log();
    let words = optional_values::joined(std::env::args_os(), &Arguments::command());
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Overhead(arguments) => overhead::overhead(*arguments),
        Command::Dump(arguments) => dump::dump(&arguments),
        Command::View(arguments) => view::view(&arguments),
        Command::Sql(arguments) => sql::sql(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Synth(arguments) => synth::synth(&arguments),
        Command::Info(arguments) => info::info(&arguments),
    };
    done.unwrap_or_else(|error| output::failure(&error))
}

/// Warnings, and what `LANESCOPE_LOG` asks for, to stderr.
fn start_log() {
    let environment = env_logger::Env::new()
        .filter_or("LANESCOPE_LOG", "warn")
        .write_style("LANESCOPE_LOG_STYLE");
    env_logger::Builder::from_env(environment)
        .format(|to, record| {
            use std::io::Write;
            writeln!(
                to,
                "lanescope: {}: {}",
                level(record.level()),
                record.args()
            )
        })
        .init();
}

fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warning",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}
