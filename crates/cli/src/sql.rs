//! `lanescope sql`: hand a question over to `lanescope-sql`, as git does with its subcommands.

use crate::arguments::SqlArguments;
use crate::output;
use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The program with the query engine; it takes longer to build than everything else, so it is not part of this one.
const PROGRAM: &str = "lanescope-sql";

pub(crate) fn sql(arguments: &SqlArguments) -> Result<ExitCode> {
    let program = beside().unwrap_or_else(|| PathBuf::from(PROGRAM));
    // Comes back only when there is no such program: its exit code is ours.
    let error = Command::new(&program).args(&arguments.words).exec();
    if error.kind() == ErrorKind::NotFound {
        output::note(format!(
            "{PROGRAM} is neither beside this program nor on PATH"
        ));
        output::hint(format!(
            "build it with `cargo build --release -p {PROGRAM}`; it takes a while"
        ));
        return Ok(ExitCode::from(2));
    }
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

fn beside() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let program = own.with_file_name(PROGRAM);
    program.is_file().then_some(program)
}
