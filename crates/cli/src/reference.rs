//! Files of the reference's own tools: its records file with every double kept, and what it makes of it.

use crate::arguments::{ExportArguments, LogArguments, NamesArguments, ReportArguments};
use crate::{device_log, export, files, output, report, results};
use anyhow::{Context, Result, bail};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_export::merged_swimlane;
use lanescope_report::reference;
use lanescope_trace::Verdict;
use lanescope_trace::import::Format;
use lanescope_trace::reference::{Dependencies, Document, Names};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes `merged_swimlane.json`, and prints what the converter prints if that is asked for.
pub(crate) fn export(arguments: &ExportArguments, to: &Path) -> Result<ExitCode> {
    if arguments.statistics && to == Path::new("-") {
        bail!("--statistics prints to stdout; name a file with --output");
    }
    let records = Records::open(&arguments.dir, &arguments.names)?;
    let (document, names) = (&records.document, &records.names);
    let code = export::write_to(to, |out| {
        merged_swimlane::write(document, names, out)?;
        Ok(())
    })?;
    // The file is there, whatever the log is like.
    if arguments.statistics {
        let input = records.file.as_deref().unwrap_or(&arguments.dir);
        let mut text = reference::conversion_text(input, to);
        text.push_str(&records.statistics(&arguments.log));
        output::data(text)?;
    }
    Ok(code)
}

/// Prints the statistics that the reference's converter prints. Ends with 1 when the run lost something.
pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let records = Records::open(&arguments.dir, &arguments.names)?;
    let text = records.statistics(&arguments.log);
    files::write_text(&arguments.output, &text)?;
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
    /// Whether edges were given beside them.
    has_deps: bool,
}

impl Records {
    /// Reads a records file as it is, anything else by way of the records file it would have.
    fn open(source: &Path, given: &NamesArguments) -> Result<Self> {
        let file = records_file(source)?;
        let (mut document, known, verdict) = match &file {
            Some(file) => (Document::open(file)?, Names::default(), None),
            None => {
                let trace = results::open_with_doubts(source)?;
                let document = merged_swimlane::document_of(&trace, scratch_file()?, source)?;
                (document, Names::of(&trace), trace.verdict().cloned())
            }
        };
        if let Some(path) = &given.deps {
            document.set_dependencies(&Dependencies::open(path)?)?;
        }
        let names = match (&given.func_names, &given.kernel_config) {
            (Some(path), _) => Names::open(path)?,
            (None, Some(path)) => kernel_names(path)?,
            (None, None) => known,
        };
        Ok(Self {
            has_deps: given.deps.is_some(),
            document,
            names,
            verdict,
            file,
        })
    }

    /// What the converter prints of them, with the device log that belongs to them.
    fn statistics(&self, given: &LogArguments) -> String {
        let log = device_log::open(given, self.file.as_deref());
        let (document, names) = (&self.document, &self.names);
        match given.deep_dive || self.has_deps {
            true => reference::statistics_with_deep_dive(document, names, log.as_ref()),
            false => reference::statistics_text(document, names, log.as_ref()),
        }
    }
}

/// What a `kernel_config.py` calls functions.
fn kernel_names(path: &Path) -> Result<Names> {
    let (names, skipped) = Names::open_kernel_config(path)?;
    if skipped > 0 {
        output::note(format!(
            "{}: {skipped} of KERNELS skipped, without func_id and name written out",
            path.display()
        ));
    }
    Ok(names)
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
