//! What a run leaves in its folder, and what is printed of it.

use crate::files::{self, MadeFolders, Part, write_file};
use crate::output;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use lanescope::{CAPTURE_FILE_NAME, RunOutcome, VERDICT_FILE_NAME, Verdict};
use lanescope_export::{ExportError, chrome, perfetto, pmu_csv, records_json, tensor_dump};
use lanescope_report::Report;
use lanescope_trace::{Chip, JoinedPmu, Outcome, PmuEvent, Trace};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The Perfetto trace of a run.
pub(crate) const TRACE_FILE_NAME: &str = "trace.perfetto-trace";
/// The report of a run as JSON.
pub(crate) const REPORT_FILE_NAME: &str = "report.json";
/// The records of a run as the reference runtime writes them.
pub(crate) const RECORDS_FILE_NAME: &str = lanescope_trace::import::RECORDS_FILE_NAME;

/// The counters of a run as the reference runtime writes them.
pub(crate) const PMU_FILE_NAME: &str = pmu_csv::FILE_NAME;
/// The folder with the tensors of a run as the reference runtime writes them.
pub(crate) const DUMP_FOLDER_NAME: &str = tensor_dump::FOLDER_NAME;

/// Every file that a run leaves.
const FILE_NAMES: [&str; 6] = [
    CAPTURE_FILE_NAME,
    VERDICT_FILE_NAME,
    REPORT_FILE_NAME,
    TRACE_FILE_NAME,
    PMU_FILE_NAME,
    pmu_csv::JOINED_FILE_NAME,
];

/// The files made from the capture of a run.
#[derive(Debug)]
pub(crate) struct Results {
    trace: Trace,
    report: Report,
    /// What was written, for the user.
    written: Vec<&'static str>,
}

impl Results {
    /// Reads the capture of a folder and writes beside it what can be made of it.
    pub(crate) fn write(folder: &Path) -> Result<Self> {
        let trace = Trace::open(folder.join(CAPTURE_FILE_NAME))?;
        let report = report(&trace);
        write_file(&folder.join(REPORT_FILE_NAME), |file| {
            Ok(file.write_all(report.to_json().as_bytes())?)
        })?;
        write_file(&folder.join(TRACE_FILE_NAME), |file| {
            write_perfetto(&trace, &perfetto::Options::default(), file)
        })?;
        let mut written = vec!["capture", "verdict", "report", "trace"];
        if report.pmu.is_some() {
            write_file(&folder.join(PMU_FILE_NAME), |file| write_pmu(&trace, file))?;
            written.push(PMU_FILE_NAME);
        }
        if report.dump.is_some() {
            write_tensor_dump(&trace, &folder.join(DUMP_FOLDER_NAME))?;
            written.push(DUMP_FOLDER_NAME);
        }
        Ok(Self {
            trace,
            report,
            written,
        })
    }

    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// The names of what was written, as a list.
    pub(crate) fn written(&self) -> String {
        self.written.join(", ")
    }

    /// Joins the counters of this run with those in other folders, each of another event type.
    pub(crate) fn join_pmu(&self, folders: &[PathBuf], to: &Path) -> Result<JoinedPmu> {
        let mut others = Vec::new();
        for folder in folders {
            others.push(Trace::open(folder.join(CAPTURE_FILE_NAME))?);
        }
        let runs = others.iter().chain(std::iter::once(&self.trace));
        let joined = JoinedPmu::of(runs);
        let chip = self.trace.session().chip.unwrap_or(Chip::A2a3);
        write_file(&to.join(pmu_csv::JOINED_FILE_NAME), |file| {
            Ok(pmu_csv::write_joined(chip, &joined, file)?)
        })?;
        Ok(joined)
    }
}

/// Refuses a folder that cannot become one for results, without making it.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        bail!("{} is there and is no folder", folder.display());
    }
    Ok(())
}

/// Makes the folder, and removes what an earlier run left in it: files of two runs never mix. What
/// else lies there, a recording above all, is not ours.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    make_folder_of_one(folder)?;
    for inner in events().map(|event| event_folder(folder, event)) {
        remove(FILE_NAMES.map(|name| inner.join(name)))?;
        // Not when something else lies in it.
        let _ = fs::remove_dir(inner);
    }
    Ok(())
}

/// The same for a capture that is no run of several event types: folders of such stay.
pub(crate) fn make_folder_of_one(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    remove(replaced(folder))?;
    let _ = fs::remove_dir(folder.join(DUMP_FOLDER_NAME));
    Ok(())
}

/// The files that do not outlive [`make_folder_of_one`].
pub(crate) fn replaced(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let dumped = [
        tensor_dump::MANIFEST_FILE_NAME,
        tensor_dump::PAYLOAD_FILE_NAME,
    ];
    let dumped = dumped.map(|name| Path::new(DUMP_FOLDER_NAME).join(name));
    let names = FILE_NAMES.into_iter().map(PathBuf::from).chain(dumped);
    names.map(|name| folder.join(name))
}

/// Writes the counters of a run for one of several event types beside its capture.
pub(crate) fn write_event(folder: &Path) -> Result<()> {
    let trace = Trace::open(folder.join(CAPTURE_FILE_NAME))?;
    write_file(&folder.join(PMU_FILE_NAME), |file| write_pmu(&trace, file))
}

/// The folder of a run for one of several event types.
pub(crate) fn event_folder(folder: &Path, event: &PmuEvent) -> PathBuf {
    folder.join(format!("pmu-{}", event.name))
}

fn events() -> impl Iterator<Item = &'static PmuEvent> {
    let chips = Chip::ALL.into_iter();
    chips.flat_map(|chip| chip.info().pmu_events)
}

fn remove(paths: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    for path in paths {
        match fs::remove_file(&path) {
            Err(error) if !is_absent(&error) => {
                return Err(error).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether there is no such file: `NotADirectory` when its folder is a file.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

pub(crate) fn write_verdict(folder: &Path, verdict: &Verdict) -> Result<()> {
    write_file(&folder.join(VERDICT_FILE_NAME), |file| {
        Ok(file.write_all(verdict.to_json().as_bytes())?)
    })
}

/// Opens a source that is made into something else, and says why that may not be all that ran.
pub(crate) fn open_with_doubts(source: &Path) -> Result<Trace> {
    let trace = Trace::open(source)?;
    let verdict = trace.verdict();
    if let Some(verdict) = verdict.filter(|verdict| verdict.outcome != Outcome::Exact) {
        output::note(format!(
            "{} is {}: {} of {} records collected",
            source.display(),
            verdict.outcome.name(),
            verdict.totals.collected,
            verdict.totals.total
        ));
        for finding in verdict.findings.iter().take(FINDINGS_SHOWN) {
            output::note(&finding.text);
        }
        let more = verdict.findings.len().saturating_sub(FINDINGS_SHOWN);
        if more > 0 {
            output::note(format!("and {more} more, which `lanescope report` tells"));
        }
    }
    tell_notes(&trace);
    Ok(trace)
}

/// Findings of a verdict that are told beside what is made of the run.
const FINDINGS_SHOWN: usize = 5;

/// Says what the reader of a trace could not place or had to assume.
pub(crate) fn tell_notes(trace: &Trace) {
    for note in trace.notes() {
        output::note(format!("{} {}", note.count, note.text));
    }
}

/// The statistics of a run.
pub(crate) fn report(trace: &Trace) -> Report {
    let progress = Progress::new("reading the capture", trace.task_count());
    let report = Report::of_with(trace, |done| progress.advance(done));
    progress.finish();
    report
}

pub(crate) fn write_perfetto(
    trace: &Trace,
    options: &perfetto::Options,
    to: &mut dyn Write,
) -> Result<()> {
    let progress = Progress::new("writing the trace", trace.task_count());
    let written = perfetto::write_with(trace, options, to, |done| {
        progress.advance(done);
    });
    progress.finish();
    let written = written?;
    note_undrawn([
        written.undrawn_tasks,
        written.undrawn_flows,
        written.undrawn_stays,
        written.undrawn_phases,
        written.undrawn_counters,
    ]);
    Ok(())
}

pub(crate) fn write_chrome(trace: &Trace, to: &mut dyn Write) -> Result<()> {
    let written = chrome::write(trace, to)?;
    note_undrawn([
        written.undrawn_tasks,
        written.undrawn_flows,
        written.undrawn_stays,
        written.undrawn_phases,
        written.undrawn_counters,
    ]);
    Ok(())
}

/// Says what a file has no room for, if there is anything.
fn note_undrawn(counts: [u64; 5]) {
    let names = ["tasks", "edges", "stays", "phases", "counters"];
    let counts = names.into_iter().zip(counts);
    let counts = counts.filter(|&(_, count)| count > 0);
    let counts: Vec<String> = counts
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    if !counts.is_empty() {
        output::note(format!("not drawn: {}", counts.join(", ")));
    }
}

pub(crate) fn write_records_json(trace: &Trace, to: &mut dyn Write) -> Result<()> {
    records_json::write(trace, to)?;
    Ok(())
}

pub(crate) fn write_pmu(trace: &Trace, to: &mut dyn Write) -> Result<()> {
    pmu_csv::write(trace, to)?;
    Ok(())
}

/// Writes manifest and payload into a folder, which is made.
pub(crate) fn write_tensor_dump(trace: &Trace, folder: &Path) -> Result<()> {
    if trace.tensors().next().is_none() {
        return Err(ExportError::NoTensors.into());
    }
    let [payload, manifest] = [
        tensor_dump::PAYLOAD_FILE_NAME,
        tensor_dump::MANIFEST_FILE_NAME,
    ]
    .map(|name| folder.join(name));
    files::refuse_folders(&[payload.clone(), manifest.clone()])?;
    let made = MadeFolders::of(folder)?;
    let mut manifest_part = None;
    let payload = Part::write(&payload, |payload| {
        let part = Part::write(&manifest, |manifest| {
            tensor_dump::write(trace, payload, manifest)?;
            Ok(())
        });
        manifest_part = Some(part?);
        Ok(())
    })?;
    payload.publish()?;
    manifest_part.map_or(Ok(()), Part::publish)?;
    made.keep();
    Ok(())
}

/// What there is to say of a run that was not recorded.
pub(crate) fn summary(outcome: &RunOutcome) -> String {
    let seconds = |ticks: u64| ticks as f64 / outcome.ticks_per_second as f64;
    let mut text = format!(
        "{} tasks on {} cores in {:.3} ms of device time\n",
        outcome.tasks,
        outcome.dispatched.len(),
        seconds(outcome.device_ticks) * 1e3
    );
    let _ = writeln!(
        text,
        "verdict: {} (nothing collected: only dispatched tasks were counted)",
        outcome.verdict.outcome.name()
    );
    for finding in &outcome.verdict.findings {
        let _ = writeln!(text, "  {}", finding.text);
    }
    text
}
