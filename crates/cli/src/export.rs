//! `lanescope export`: convert a run to a format that other tools read.

use crate::arguments::{ExportArguments, FormatName};
use crate::{output, results};
use anyhow::{Context, Result, bail};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_trace::Trace;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn export(arguments: &ExportArguments) -> Result<ExitCode> {
    let trace = Trace::open(&arguments.dir)?;
    let to = match &arguments.output {
        Some(path) => path.clone(),
        None => beside(&arguments.dir, arguments.format),
    };
    if is_input(&to, &arguments.dir) {
        bail!(
            "{} is the input; name another file with --output",
            to.display()
        );
    }
    if arguments.format == FormatName::TensorDump {
        if to == Path::new("-") {
            bail!("tensor-dump is a folder; name one with --output");
        }
        results::write_tensor_dump(&trace, &to)?;
        output::note(format!("wrote {}", to.display()));
    } else if to == Path::new("-") {
        export_to_stdout(&trace, arguments.format)?;
    } else {
        results::write_file(&to, |file| write(&trace, arguments.format, file))?;
        output::note(format!("wrote {}", to.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn export_to_stdout(trace: &Trace, format: FormatName) -> Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let written = write(trace, format, &mut stdout)
        .and_then(|()| stdout.flush().context("cannot write to stdout"));
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => written,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn write(trace: &Trace, format: FormatName, to: &mut dyn Write) -> Result<()> {
    match format {
        FormatName::Perfetto => results::write_perfetto(trace, to),
        FormatName::RecordsJson => results::write_records_json(trace, to),
        FormatName::PmuCsv => results::write_pmu(trace, to),
        FormatName::TensorDump => unreachable!("a folder is written by itself"),
    }
}

/// Whether `to` is what is being read: the file itself, or the one of its folder that was opened.
fn is_input(to: &Path, input: &Path) -> bool {
    let Ok(to) = to.canonicalize() else {
        return false;
    };
    let read = if input.is_dir() {
        [CAPTURE_FILE_NAME, results::RECORDS_FILE_NAME]
            .map(|name| input.join(name))
            .into_iter()
            .find(|file| file.exists())
    } else {
        Some(input.to_owned())
    };
    read.and_then(|read| read.canonicalize().ok()) == Some(to)
}

/// The export's own name in the folder of the run.
fn beside(run: &Path, format: FormatName) -> PathBuf {
    let folder = if run.is_dir() {
        run
    } else {
        run.parent().unwrap_or(Path::new("."))
    };
    folder.join(match format {
        FormatName::Perfetto => results::TRACE_FILE_NAME,
        FormatName::RecordsJson => results::RECORDS_FILE_NAME,
        FormatName::PmuCsv => results::PMU_FILE_NAME,
        FormatName::TensorDump => results::DUMP_FOLDER_NAME,
    })
}
