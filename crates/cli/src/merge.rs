//! `lanescope merge`: put runs of several devices and hosts on one timeline.

use crate::arguments::MergeArguments;
use crate::{files, output, results};
use anyhow::{Context, Result, bail};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_report::printable;
use lanescope_trace::merge::{Merge, MergeError, Merged, Offset, Source};
use lanescope_trace::{Trace, import};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints what was added to each device's clock, and how far that may be off.
pub(crate) fn merge(arguments: &MergeArguments) -> Result<ExitCode> {
    let mut sources = Vec::new();
    for path in &arguments.runs {
        let trace = results::open_with_doubts(path)?;
        let name = free_name(name(path, &trace), &sources);
        sources.push(Source {
            name,
            trace,
            offset: None,
        });
    }
    for text in &arguments.offset {
        set_offset(text, arguments, &mut sources)?;
    }
    results::check_folder(&arguments.out)?;
    let merge = match Merge::of(&sources) {
        Err(error @ MergeError::NoClock { .. }) => {
            let named = sources.iter().map(|source| source.name.as_str());
            let named: Vec<&str> = named.collect();
            bail!(
                "{error}; give --offset NAME=NS, the names are {}",
                named.join(", ")
            );
        }
        merge => merge?,
    };
    let to = arguments.out.join(CAPTURE_FILE_NAME);
    for path in &arguments.runs {
        if let Some(file) = replaced(path, &arguments.out) {
            bail!(
                "{} is one of the runs; name another folder with --out",
                file.display()
            );
        }
    }
    results::make_folder_of_one(&arguments.out)?;
    let mut merged = Merged::default();
    files::write_file(&to, |file| {
        merged = merge.write(file)?;
        Ok(())
    })?;
    tell_left_out(&merged, &sources);
    let mut text = String::new();
    for device in merge.devices() {
        text.push_str(&format!(
            "{}: {} cores, clock moved by {} ns, ± {} ns\n",
            printable(&device.name),
            device.cores,
            device.offset_ns,
            device.uncertainty_ns
        ));
    }
    output::data(text)?;
    output::note(format!("wrote {}", to.display()));
    Ok(ExitCode::SUCCESS)
}

/// `host/device` where the run says both, else the name of the file or folder.
fn name(path: &Path, trace: &Trace) -> String {
    let session = trace.session();
    match (session.host.as_str(), session.device) {
        ("", _) | (_, None) => {
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
        (host, Some(device)) => format!("{host}/{device}"),
    }
}

/// The name, with a number behind it when another source has it.
fn free_name(name: String, sources: &[Source]) -> String {
    let is_free = |name: &String| sources.iter().all(|source| source.name != *name);
    let numbered = (2_u32..).map(|number| format!("{name}#{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(is_free).unwrap_or(name)
}

/// `NAME=NS` or `NAME=NS~NS`; the name is the source's, or its path as it was given.
fn set_offset(text: &str, arguments: &MergeArguments, sources: &mut [Source]) -> Result<()> {
    let expected =
        || format!("--offset {text}: expected NAME=NS or NAME=NS~NS, as in node2/0=-1200~50");
    let (name, given) = text.rsplit_once('=').with_context(expected)?;
    let (ns, uncertainty_ns) = match given.split_once('~') {
        Some((ns, uncertainty)) => (ns, uncertainty.parse().with_context(expected)?),
        None => (given, 0),
    };
    let offset = Offset {
        ns: ns.parse().with_context(expected)?,
        uncertainty_ns,
    };
    let named = sources.iter().position(|source| source.name == name);
    let given = || {
        arguments
            .runs
            .iter()
            .position(|path| path == Path::new(name))
    };
    let Some(place) = named.or_else(given) else {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        bail!(
            "--offset {text}: no run is called {name}, there are {}",
            names.join(", ")
        );
    };
    sources[place].offset = Some(offset);
    Ok(())
}

/// The file of a run that would not outlive what is written to `folder`.
fn replaced(run: &Path, folder: &Path) -> Option<PathBuf> {
    let real = |path: PathBuf| path.canonicalize().ok();
    let read: Vec<PathBuf> = match run.is_dir() {
        false => vec![run.to_owned()],
        true if run.join(CAPTURE_FILE_NAME).exists() => vec![run.join(CAPTURE_FILE_NAME)],
        // The payloads of tensors lie beside their manifest.
        true => results::replaced(run)
            .chain(import::in_folder(run))
            .collect(),
    };
    let read: Vec<PathBuf> = read.into_iter().filter_map(real).collect();
    let mut replaced = results::replaced(folder);
    replaced.find(|file| real(file.clone()).is_some_and(|file| read.contains(&file)))
}

fn tell_left_out(merged: &Merged, sources: &[Source]) {
    let counts = [
        (merged.tensors, "tensors stay in their own captures"),
        (
            merged.orchestrators,
            "totals of orchestrators stay in their own captures",
        ),
    ];
    for (count, what) in counts {
        if count > 0 {
            output::note(format!("{count} {what}"));
        }
    }
    for source in sources
        .iter()
        .filter(|source| source.trace.verdict().is_none())
    {
        output::note(format!(
            "{} has no verdict: what it holds counts as all there was",
            source.name
        ));
    }
}
