//! What is printed where.

use anyhow::{Context, Result};
use lanescope::{LanescopeError, PlatformError, RuntimeError};
use lanescope_report::printable;
use lanescope_trace::TraceError;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Prints data to stdout. A reader that has gone away has had enough: no error.
pub(crate) fn data(text: impl Display) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

/// Tells the user something on stderr, on one line: names of files and what lies in them move no cursor.
pub(crate) fn note(text: impl Display) {
    tell("lanescope", &printable(&text.to_string()));
}

/// What the user may want to do next, on stderr.
pub(crate) fn hint(text: impl Display) {
    tell("hint", &printable(&text.to_string()));
}

/// Tells what has lines of its own.
fn note_lines(text: &str) {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    tell("lanescope", &lines.join("\n"));
}

fn tell(what: &str, text: &str) {
    // Nothing is left to tell it to when stderr is gone.
    let _ = writeln!(io::stderr(), "{what}: {text}");
}

/// Prints an error with its causes and, where something is known, a hint; exit code 2.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    note_lines(&format!("{error:#}"));
    if let Some(text) = hint_of(error) {
        hint(text);
    }
    ExitCode::from(2)
}

/// Prints what is wrong with the command line, or the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if !error.use_stderr() {
        return match data(text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        };
    }
    let text = text.to_string();
    note_lines(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    ExitCode::from(2)
}

fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| {
        let hint = cause
            .downcast_ref::<LanescopeError>()
            .and_then(LanescopeError::hint);
        let hint = hint.or_else(|| cause.downcast_ref().and_then(RuntimeError::hint));
        let hint = hint.or_else(|| cause.downcast_ref().and_then(TraceError::hint));
        hint.or_else(|| cause.downcast_ref().and_then(PlatformError::hint))
    })
}
