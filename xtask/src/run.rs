//! `cargo xtask run`: build for one platform and run an example with the swimlane on.

use crate::build;
use crate::selection::Selection;
use crate::workspace;
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

#[derive(clap::Args)]
pub struct Arguments {
    /// The workload and its options, as `lanescope run` takes them [default: paged-attention]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    workload: Vec<String>,
    /// a2a3, a2a3sim, a5 or a5sim
    #[arg(long, default_value = "a2a3sim")]
    platform: String,
    /// Slots of each core's staging ring: 1, 2, 4, 8 or 16 [default: 2]
    #[arg(long)]
    ring_size: Option<String>,
    /// Cargo profile
    #[arg(long, default_value = "release")]
    profile: String,
}

/// Ends with the exit code of `lanescope run`.
pub fn run(arguments: &Arguments) -> ExitCode {
    match start(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start(arguments: &Arguments) -> Result<ExitCode> {
    let selection = Selection::parse(
        &arguments.platform,
        arguments.ring_size.as_deref(),
        &arguments.profile,
    )?;
    eprintln!("xtask: building {}", selection.folder());
    let folder = build::build(std::slice::from_ref(&selection))?.remove(0);
    let mut command = Command::new(folder.join("bin/lanescope"));
    command.current_dir(workspace::root()).args([
        "run",
        "--platform",
        selection.platform.name(),
        "--build",
    ]);
    command.arg(&folder).arg("--swimlane");
    if arguments.workload.is_empty() {
        command.arg("paged-attention");
    } else {
        command.args(&arguments.workload);
    }
    let status = command.status().context("cannot start lanescope")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(2);
    Ok(ExitCode::from(code))
}
