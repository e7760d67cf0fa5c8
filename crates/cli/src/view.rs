//! `lanescope view`: a run as one page for the browser, in a file or from a server on loopback.

mod server;

use crate::arguments::ViewArguments;
use crate::export::{beside, refuse_inputs};
use crate::{files, output, results};
use anyhow::{Context, Result, bail};
use lanescope_trace::Trace;
use lanescope_view::Written;
use server::Server;
use std::ffi::OsStr;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The page's own name in the folder of the run.
const PAGE_FILE_NAME: &str = "view.html";

pub(crate) fn view(arguments: &ViewArguments) -> Result<ExitCode> {
    let trace = results::open_with_doubts(&arguments.source)?;
    if let Some(address) = arguments.serve {
        return serve(&trace, address, arguments.open);
    }
    let to = match &arguments.output {
        Some(path) => path.clone(),
        None => beside(&arguments.source)?.join(PAGE_FILE_NAME),
    };
    if to == Path::new("-") {
        if arguments.open {
            bail!("what goes to stdout cannot be opened; name a file with --output");
        }
        return to_stdout(&trace);
    }
    refuse_inputs(std::slice::from_ref(&to), &arguments.source)?;
    let mut written = Written::default();
    files::write_file(&to, |file| {
        written = lanescope_view::write(&trace, file)?;
        Ok(())
    })?;
    output::note(format!("wrote {} ({})", to.display(), contents(&written)));
    warn_of_size(&written);
    if arguments.open {
        let path = to.canonicalize().unwrap_or(to);
        open(path.as_os_str())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(trace: &Trace, address: std::net::SocketAddr, is_opened: bool) -> Result<ExitCode> {
    let mut page = Vec::new();
    let written = lanescope_view::write(trace, &mut page)?;
    let server = Server::bind(address, page)?;
    output::note(format!(
        "{} – Ctrl-C ends it ({})",
        server.url(),
        contents(&written)
    ));
    warn_of_size(&written);
    if is_opened {
        open(OsStr::new(&server.url()))?;
    }
    server.run()
}

fn to_stdout(trace: &Trace) -> Result<ExitCode> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    match lanescope_view::write(trace, &mut stdout) {
        Err(lanescope_view::ViewError::Write { source })
            if source.kind() == ErrorKind::BrokenPipe => {}
        written => drop(written?),
    }
    match stdout.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn contents(written: &Written) -> String {
    let kib = written.bytes.div_ceil(1024);
    let undrawn = match written.dangling_edges {
        0 => String::new(),
        dangling => format!(" ({dangling} more name a task without a row)"),
    };
    format!(
        "{} tasks, {} edges{undrawn}, {kib} KiB",
        written.tasks, written.edges
    )
}

/// Pages of fewer tasks open within seconds on any machine.
const TASKS_OF_A_LARGE_PAGE: u64 = 5_000_000;
/// What a browser's process takes at most while it opens a page, as `docs/view.md` has it measured.
const BROWSER_BYTES_PER_TASK: u64 = 90;

fn warn_of_size(written: &Written) {
    if written.tasks > TASKS_OF_A_LARGE_PAGE {
        let mib = (written.tasks * BROWSER_BYTES_PER_TASK) >> 20;
        output::hint(format!(
            "the browser that opens it needs about {mib} MiB of memory, and longer than a few seconds"
        ));
    }
}

/// Hands the page to whatever opens pages on this desktop.
fn open(what: &OsStr) -> Result<()> {
    Command::new("xdg-open")
        .arg(what)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
        .context("cannot start xdg-open; open the page by hand")
}
