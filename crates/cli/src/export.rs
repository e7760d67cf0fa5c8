//! `lanescope export`: convert a run to a format that other tools read.

use crate::arguments::{ExportArguments, FormatName};
use crate::files::{self, MadeFolders, Part};
use crate::{output, reference, results};
use anyhow::{Context, Result, bail};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_export::dataset::Partition;
use lanescope_export::tables::Table;
use lanescope_export::{chrome, columns, csv, merged_swimlane, mermaid, tensor_dump};
use lanescope_trace::{Trace, import};
use std::ffi::OsStr;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn export(arguments: &ExportArguments) -> Result<ExitCode> {
    let format = arguments.format;
    let shape = shape(format, arguments.table)?;
    let to = match &arguments.output {
        Some(path) => path.clone(),
        None => beside(&arguments.dir)?.join(shape.name()),
    };
    refuse_inputs(&shape.files(&to, format), &arguments.dir)?;
    let is_by_default = arguments.output.is_none();
    if (is_by_default || is_same_folder(files::folder_of(&to), &arguments.dir))
        && becomes_source(&to, format)?
    {
        bail!(
            "{} would be read as a part of the run in its folder; name another folder with --output",
            to.display()
        );
    }
    if let Some(option) = arguments.log.given().filter(|_| !arguments.statistics) {
        bail!("{option} goes with --statistics");
    }
    let options = [
        (FormatName::Perfetto, "perfetto", arguments.perfetto.given()),
        (FormatName::Parquet, "parquet", arguments.of_parquet()),
        (
            FormatName::MergedSwimlane,
            "merged-swimlane",
            arguments.of_merged_swimlane(),
        ),
    ];
    for (other, name, given) in options {
        if let Some(option) = given.filter(|_| format != other) {
            bail!("{option} goes with --format {name}");
        }
    }
    if format == FormatName::MergedSwimlane {
        return reference::export(arguments, &to);
    }
    let trace = results::open_with_doubts(&arguments.dir)?;
    match shape {
        Shape::File(_) => return write_to(&to, |out| write(&trace, arguments, out)),
        Shape::Folder(name) if to == Path::new("-") => {
            bail!("{name} is a folder; name one with --output");
        }
        Shape::Folder(_) => write_folder(&trace, arguments, &to)?,
    }
    output::note(format!("wrote {}", to.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes to a file, whole or not at all, or to stdout.
pub(crate) fn write_to(
    to: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<ExitCode> {
    if to == Path::new("-") {
        write_to_stdout(write)?;
    } else {
        files::write_file(to, |file| write(file))?;
        output::note(format!("wrote {}", to.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What an export is, and its own name.
enum Shape {
    File(String),
    Folder(&'static str),
}

impl Shape {
    fn name(&self) -> &str {
        match self {
            Self::File(name) => name,
            Self::Folder(name) => name,
        }
    }

    /// The files that are written to a place, as far as their names could be those of an input.
    fn files(&self, to: &Path, format: FormatName) -> Vec<PathBuf> {
        match (self, format) {
            (Self::File(_), _) => vec![to.to_owned()],
            (Self::Folder(_), FormatName::TensorDump) => {
                let names = [
                    tensor_dump::MANIFEST_FILE_NAME,
                    tensor_dump::PAYLOAD_FILE_NAME,
                ];
                names.map(|name| to.join(name)).into()
            }
            (Self::Folder(_), FormatName::Csv) => in_folder(to, "csv").into(),
            // No source has such names.
            (Self::Folder(_), _) => Vec::new(),
        }
    }
}

/// A file for every table.
fn in_folder(folder: &Path, extension: &str) -> [PathBuf; Table::ALL.len()] {
    let files = Table::ALL.map(|table| format!("{}.{extension}", table.name()));
    files.map(|name| folder.join(name))
}

fn shape(format: FormatName, table: Option<Table>) -> Result<Shape> {
    if let Some(table) = table {
        return match format {
            FormatName::Csv => Ok(Shape::File(format!("{}.csv", table.name()))),
            _ => bail!("--table goes with --format csv"),
        };
    }
    let file = |name: &str| Shape::File(name.to_owned());
    Ok(match format {
        FormatName::Perfetto => file(results::TRACE_FILE_NAME),
        FormatName::RecordsJson => file(results::RECORDS_FILE_NAME),
        FormatName::MergedSwimlane => file(merged_swimlane::FILE_NAME),
        FormatName::PmuCsv => file(results::PMU_FILE_NAME),
        FormatName::Chrome => file(chrome::FILE_NAME),
        FormatName::Mermaid => file(mermaid::FILE_NAME),
        FormatName::TensorDump => Shape::Folder(results::DUMP_FOLDER_NAME),
        FormatName::Csv => Shape::Folder(csv::FOLDER_NAME),
        FormatName::Parquet => Shape::Folder(columns::PARQUET_FOLDER_NAME),
        FormatName::Arrow => Shape::Folder(columns::ARROW_FOLDER_NAME),
    })
}

fn write_to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let written =
        write(&mut stdout).and_then(|()| stdout.flush().context("cannot write to stdout"));
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

fn write(trace: &Trace, arguments: &ExportArguments, to: &mut dyn Write) -> Result<()> {
    match (arguments.format, arguments.table) {
        (FormatName::Perfetto, _) => {
            results::write_perfetto(trace, &arguments.perfetto.options(), to)?;
        }
        (FormatName::RecordsJson, _) => results::write_records_json(trace, to)?,
        (FormatName::PmuCsv, _) => results::write_pmu(trace, to)?,
        (FormatName::Chrome, _) => results::write_chrome(trace, to)?,
        (FormatName::Mermaid, _) => {
            mermaid::write(trace, to)?;
        }
        (FormatName::Csv, Some(table)) => {
            csv::write(trace, table, to)?;
        }
        (FormatName::MergedSwimlane, _) => unreachable!("it is not made of a trace"),
        (FormatName::TensorDump | FormatName::Csv | FormatName::Parquet | FormatName::Arrow, _) => {
            unreachable!("a folder is written by itself")
        }
    }
    Ok(())
}

fn write_folder(trace: &Trace, arguments: &ExportArguments, folder: &Path) -> Result<()> {
    match arguments.format {
        FormatName::TensorDump => results::write_tensor_dump(trace, folder),
        FormatName::Csv => write_tables(in_folder(folder, "csv"), |table, file| {
            csv::write(trace, table, file)?;
            Ok(())
        }),
        FormatName::Arrow => write_tables(in_folder(folder, "arrow"), |table, file| {
            Ok(columns::write_arrow(trace, table, file)?)
        }),
        FormatName::Parquet => {
            let (host, run) = (arguments.host.as_deref(), arguments.run.as_deref());
            let partition = Partition::of(trace, host, run);
            let files = Table::ALL.map(|table| folder.join(partition.file(table)));
            write_tables(files, |table, file| {
                Ok(columns::write_parquet(trace, table, file)?)
            })
        }
        _ => unreachable!("a file is written by itself"),
    }
}

/// Writes a file for every table; none takes its name before all are whole.
fn write_tables(
    files: [PathBuf; Table::ALL.len()],
    write: impl Fn(Table, &mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    files::refuse_folders(&files)?;
    let (mut made, mut parts) = (Vec::new(), Vec::new());
    for (table, path) in Table::ALL.into_iter().zip(&files) {
        let folder = path.parent().context("a table's file has a folder")?;
        made.push(MadeFolders::of(folder)?);
        parts.push(Part::write(path, |file| write(table, file))?);
    }
    parts.into_iter().try_for_each(Part::publish)?;
    made.into_iter().for_each(MadeFolders::keep);
    Ok(())
}

/// Refuses to write a file over one that is being read.
pub(crate) fn refuse_inputs(files: &[PathBuf], source: &Path) -> Result<()> {
    let there: Vec<&PathBuf> = files.iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let inputs = inputs(source)?;
    let mut inputs = inputs.iter().filter_map(|file| file.canonicalize().ok());
    let is_read = inputs.find_map(|input| {
        let mut there = there.iter();
        there.find(|file| file.canonicalize().ok().as_ref() == Some(&input))
    });
    match is_read {
        Some(file) => bail!(
            "{} is the input; name another file with --output",
            file.display()
        ),
        None => Ok(()),
    }
}

/// Every file that is read of a source.
fn inputs(source: &Path) -> Result<Vec<PathBuf>> {
    if !source.is_dir() && !source.is_file() {
        return Ok(Vec::new());
    }
    let capture = source.join(CAPTURE_FILE_NAME);
    if capture.exists() {
        return Ok(vec![capture]);
    }
    let mut files = import::files_of(source)?;
    for place in 0..files.len() {
        files.extend(import::payload_of(&files[place])?);
    }
    Ok(files)
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    other.is_dir() && one.canonicalize().ok() == other.canonicalize().ok()
}

/// Whether `to` is new in its folder, and would be read as one with the run there, or in place of it.
fn becomes_source(to: &Path, format: FormatName) -> Result<bool> {
    let folder = files::folder_of(to);
    if to.exists() || folder.join(CAPTURE_FILE_NAME).exists() {
        return Ok(false);
    }
    let sources = import::in_folder(folder);
    let Some(first) = sources.first() else {
        return Ok(false);
    };
    let name = to.file_name().and_then(OsStr::to_str).unwrap_or_default();
    Ok(match format {
        FormatName::RecordsJson => name == results::RECORDS_FILE_NAME,
        FormatName::PmuCsv => name == results::PMU_FILE_NAME,
        // Traces of this form are read whatever their names, where nothing else says when tasks ran.
        FormatName::Chrome | FormatName::MergedSwimlane => {
            let is_read = Path::new(name).extension() == Some(OsStr::new("json"));
            is_read && import::Format::of(first)? == Some(import::Format::Chrome)
        }
        _ => false,
    })
}

/// The folder of a run: what is made of it lies there unless another place is named.
pub(crate) fn beside(run: &Path) -> Result<&Path> {
    if run.is_dir() {
        return Ok(run);
    }
    if run.exists() && !run.is_file() {
        bail!(
            "{} lies in no folder of its own; name a file with --output",
            run.display()
        );
    }
    Ok(run.parent().unwrap_or(Path::new(".")))
}
