//! Files of the reference's own tools: its records file with every double kept, and what it makes of it.

use crate::arguments::{ExportArguments, NamesArguments, ReportArguments};
use crate::{device_log, export, output, report, results};
use anyhow::{Context, Result, bail};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_export::merged_swimlane;
use lanescope_report::reference;
use lanescope_trace::import::Format;
use lanescope_trace::reference::{Dependencies, Document, Names};
use lanescope_trace::{Trace, Verdict};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes `merged_swimlane.json`, and prints what the converter prints if that is asked for.
pub(crate) fn export(arguments: &ExportArguments, to: &Path) -> Result<ExitCode> {
    if arguments.statistics && to == Path::new("-") {
        bail!("--statistics prints to stdout; name a file with --output");
    }
    let records = Records::open(&arguments.dir, &arguments.names)?;
    let log = match arguments.statistics {
        true => device_log::open(&arguments.log, records.file.as_deref())?,
        false => None,
    };
    let (document, names) = (&records.document, &records.names);
    let code = export::write_to(to, |out| {
        merged_swimlane::write(document, names, out)?;
        Ok(())
    })?;
    if arguments.statistics {
        let input = records.file.as_deref().unwrap_or(&arguments.dir);
        let mut text = reference::conversion_text(input, to);
        text.push_str(&reference::statistics_text(document, names, log.as_ref()));
        output::data(text)?;
    }
    Ok(code)
}

/// Prints the statistics that the reference's converter prints. Ends with 1 when the run lost something.
pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let records = Records::open(&arguments.dir, &arguments.names)?;
    let log = device_log::open(&arguments.log, records.file.as_deref())?;
    let text = reference::statistics_text(&records.document, &records.names, log.as_ref());
    results::write_text(&arguments.output, &text)?;
    Ok(report::exit_code(records.verdict.as_ref()))
}

/// What the reference's tools read, from any source.
struct Records {
    document: Document,
    names: Names,
    /// What became of the run, where the source says so.
    verdict: Option<Verdict>,
    /// The records file, when it was one.
    file: Option<PathBuf>,
}

impl Records {
    /// Reads a records file as it is, anything else by way of the records file it would have.
    fn open(source: &Path, given: &NamesArguments) -> Result<Self> {
        let file = records_file(source)?;
        let (mut document, known, verdict) = match &file {
            Some(file) => (Document::open(file)?, Names::default(), None),
            None => {
                let trace = Trace::open(source)?;
                let document = merged_swimlane::document_of(&trace, scratch_file()?, source)?;
                (document, Names::of(&trace), trace.verdict().cloned())
            }
        };
        if let Some(path) = &given.deps {
            document.set_dependencies(&Dependencies::open(path)?)?;
        }
        let names = match &given.func_names {
            Some(path) => Names::open(path)?,
            None => known,
        };
        Ok(Self {
            document,
            names,
            verdict,
            file,
        })
    }
}

/// The records file that a source is, or holds beside no capture.
fn records_file(source: &Path) -> Result<Option<PathBuf>> {
    let file = match source.is_dir() {
        true if source.join(CAPTURE_FILE_NAME).exists() => return Ok(None),
        true => source.join(results::RECORDS_FILE_NAME),
        false => source.to_owned(),
    };
    // What gives its bytes once only is read as a trace.
    if !file.is_file() && file.exists() || source.is_dir() && !file.exists() {
        return Ok(None);
    }
    let is_records = Format::of(&file)? == Some(Format::L2Records);
    Ok(is_records.then_some(file))
}

/// A file that is gone when it is closed.
fn scratch_file() -> Result<File> {
    let name = format!("lanescope-{}.records", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot make {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(file)
}
