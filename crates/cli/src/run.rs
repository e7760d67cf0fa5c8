//! `lanescope run`: run a workload, check its numbers, report, write the trace.

use crate::arguments::RunArguments;
use crate::build_folder::Target;
use crate::output;
use crate::progress::Progress;
use crate::results::{self, Results};
use anyhow::{Context, Result, bail};
use lanescope::{
    CAPTURE_FILE_NAME, ChipInfo, Graph, Limits, OpenOptions, PmuEvent, RunOptions, RunOutcome,
    Session, SessionOptions, Token,
};
use lanescope_examples::{Built, Target as WorkloadTarget};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let prepared = Prepared::new(arguments)?;
    let mut session = prepared.open(arguments)?;
    let earlier = prepared.earlier_events(&mut session)?;
    let outcome = prepared.execute(&mut session, arguments.repeat.unwrap_or(1))?;
    let right = check_numbers(&prepared.built, &session)?;
    drop(session);
    let verdict = report(&prepared, &outcome, &earlier)?;
    let worst = earlier.iter().map(|run| run.exit_code).max().unwrap_or(0);
    Ok(ExitCode::from(verdict.max(worst).max(u8::from(!right))))
}

/// A run with another event type, before the one that is reported.
struct EarlierRun {
    folder: PathBuf,
    exit_code: u8,
}

/// Everything that can be checked before a device is opened or a file written.
pub(crate) struct Prepared {
    target: Target,
    built: Built,
    options: RunOptions,
    session: SessionOptions,
    folder: Option<PathBuf>,
    earlier_events: Vec<&'static PmuEvent>,
}

impl Prepared {
    pub(crate) fn new(arguments: &RunArguments) -> Result<Self> {
        let target = Target::find(&arguments.target)?;
        if arguments.seed.is_some() && !target.platform.is_simulated() {
            bail!(
                "--seed is for simulated platforms, {} is none",
                target.platform.name()
            );
        }
        let (options, earlier_events) = run_options(arguments, &target)?;
        options.limits.check()?;
        let session = session_options(arguments, &target)?;
        let workload = arguments.workload.clone().open()?;
        let built = workload.build(&WorkloadTarget {
            kernels: &target.build,
            chip: target.platform.chip(),
        })?;
        built.graph.check()?;
        let is_recorded = !options.collectors.is_empty();
        let folder = folder(arguments, workload.name(), is_recorded);
        if let Some(folder) = &folder {
            results::check_folder(folder)?;
        }
        output::note(format!(
            "{} on {}",
            workload.describe(),
            target.platform.name()
        ));
        for warning in &built.warnings {
            output::note(format!("warning: {warning}"));
        }
        Ok(Self {
            session,
            target,
            options,
            built,
            folder,
            earlier_events,
        })
    }

    /// Opens the device, refuses what it cannot do, and only then makes the output folder.
    pub(crate) fn open(&self, arguments: &RunArguments) -> Result<Session> {
        let mut driver_settings = arguments.sim.clone();
        if let Some(seed) = arguments.seed {
            driver_settings.push(("seed".to_owned(), seed.to_string()));
        }
        let options = OpenOptions {
            device: arguments.target.device,
            driver_settings,
            launch_form: arguments.target.launch.map(Into::into),
            op_limit: Some(self.options.limits.op),
            ..OpenOptions::default()
        };
        let device = self.target.platform.open(&self.target.build, options)?;
        let session = Session::open(device, &self.target.build, &self.session)?;
        session.check(&self.built.graph, &self.options)?;
        let memory = session.memory(&self.options)?;
        if memory.capture_bytes > 0 {
            output::note(format!("device memory for records: {memory}"));
        }
        if let Some(folder) = &self.folder {
            results::make_folder(folder)?;
        }
        Ok(session)
    }

    /// What the run is asked to do.
    pub(crate) fn options(&self) -> &RunOptions {
        &self.options
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.built.graph
    }

    pub(crate) fn chip(&self) -> &'static ChipInfo {
        self.target.platform.chip()
    }

    /// Whether there is anything to dump.
    pub(crate) fn describes_tensors(&self) -> bool {
        !self.built.graph.views().is_empty()
    }

    /// Dumps nothing, whatever was asked for.
    pub(crate) fn leave_out_dump(&mut self) {
        self.options.collectors.dump = None;
    }

    /// With `--pmu=all` one run for each event type but the last, each into a folder of its own.
    fn earlier_events(&self, session: &mut Session) -> Result<Vec<EarlierRun>> {
        let mut runs = Vec::new();
        let Some(folder) = &self.folder else {
            return Ok(runs);
        };
        for event in &self.earlier_events {
            let folder = results::event_folder(folder, event);
            results::make_folder(&folder)?;
            let mut options = self.options.clone();
            // Tensors are the same in every run.
            options.collectors.dump = None;
            if let Some(pmu) = &mut options.collectors.pmu {
                pmu.event = event.number;
            }
            options.capture = Some(folder.clone());
            let outcome = session
                .run(&self.built.graph, &options)
                .with_context(|| format!("the run for {} failed", event.name))?;
            results::write_event(&folder)?;
            let verdict = &outcome.verdict;
            output::note(format!(
                "counted {} ({}): {}",
                event.name,
                event.number,
                verdict.outcome.name()
            ));
            runs.push(EarlierRun {
                folder,
                exit_code: verdict.exit_code(),
            });
        }
        Ok(runs)
    }

    fn execute(&self, session: &mut Session, repeat: u32) -> Result<RunOutcome> {
        let progress = Progress::new("running", self.built.graph.task_count() as u64);
        session.on_progress({
            let progress = progress.clone();
            move |so_far| progress.advance(so_far.completed)
        });
        let mut options = self.options.clone();
        // Only the last run is written: a capture folder holds one run.
        options.capture = None;
        for _ in 1..repeat {
            session.run(&self.built.graph, &options)?;
        }
        options.capture = self.capture_folder().map(Path::to_owned);
        let outcome = session.run(&self.built.graph, &options);
        progress.finish();
        outcome
            .inspect_err(|_| self.tell_partial_capture())
            .context("the run failed")
    }

    /// Where the capture goes; none at level 0.
    fn capture_folder(&self) -> Option<&Path> {
        self.folder
            .as_deref()
            .filter(|_| !self.options.collectors.is_empty())
    }

    fn tell_partial_capture(&self) {
        let capture = self
            .capture_folder()
            .map(|folder| folder.join(CAPTURE_FILE_NAME));
        if let Some(capture) = capture.filter(|capture| capture.exists()) {
            output::note(format!("what was captured is in {}", capture.display()));
        }
    }
}

fn check_numbers(built: &Built, session: &Session) -> Result<bool> {
    match built.check(|tensor| session.read(tensor)) {
        Ok(check) => {
            output::note(format!("results: {check}"));
            Ok(true)
        }
        Err(error @ lanescope_examples::WorkloadError::Wrong(_)) => {
            output::note(format!("results are wrong: {error}"));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints the report and writes what goes beside the capture; the exit code is the verdict's.
fn report(prepared: &Prepared, outcome: &RunOutcome, earlier: &[EarlierRun]) -> Result<u8> {
    let verdict = &outcome.verdict;
    if let Some(folder) = prepared.capture_folder() {
        let results = Results::write(folder)?;
        output::data(results.report().text())?;
        if !earlier.is_empty() {
            join(&results, earlier, folder)?;
        }
        output::note(format!(
            "wrote {} ({})",
            folder.display(),
            results.written()
        ));
        output::note(format!(
            "open {} at https://ui.perfetto.dev (Open trace file; nothing is uploaded)",
            folder.join(results::TRACE_FILE_NAME).display()
        ));
    } else {
        output::data(results::summary(outcome))?;
        if let Some(folder) = &prepared.folder {
            results::write_verdict(folder, verdict)?;
            output::note(format!("wrote {}", folder.display()));
        }
    }
    let run_time = outcome.elapsed.as_secs_f64();
    output::note(format!(
        "{} tasks in {run_time:.2} s of host time",
        outcome.tasks
    ));
    Ok(verdict.exit_code())
}

/// Puts the event types of all runs side by side.
fn join(results: &Results, earlier: &[EarlierRun], folder: &Path) -> Result<()> {
    let folders: Vec<PathBuf> = earlier.iter().map(|run| run.folder.clone()).collect();
    let joined = results.join_pmu(&folders, folder)?;
    let (tasks, events) = (joined.tasks.len(), joined.events.len());
    output::note(format!("joined {tasks} tasks of {events} event types"));
    let incomplete = joined.incomplete();
    if incomplete > 0 {
        output::note(format!("{incomplete} of them lack an event type"));
    }
    Ok(())
}

fn run_options(
    arguments: &RunArguments,
    target: &Target,
) -> Result<(RunOptions, Vec<&'static PmuEvent>)> {
    let mut limits = Limits::default();
    for (name, limit) in &arguments.limits {
        match name.as_str() {
            "block" => limits.block = *limit,
            "handshake" => limits.handshake = *limit,
            "scheduler" => limits.scheduler = *limit,
            "op" => limits.op = *limit,
            "sync" => limits.sync = *limit,
            "write" => limits.write = *limit,
            _ => bail!("no limit is called {name}"),
        }
    }
    let collected = arguments.collect.collected(target.platform.chip())?;
    let options = RunOptions {
        collectors: collected.collectors,
        threads: arguments.threads,
        clusters: arguments.clusters,
        issue_depth: arguments.issue_depth,
        limits,
        seed: target
            .platform
            .is_simulated()
            .then(|| arguments.seed.unwrap_or(0)),
        settings: arguments.sim.clone(),
        ..RunOptions::default()
    };
    Ok((options, collected.earlier_events))
}

fn session_options(arguments: &RunArguments, target: &Target) -> Result<SessionOptions> {
    let first_token = match arguments.first_token {
        None => Token::FIRST,
        Some(raw) => {
            Token::new(raw).with_context(|| format!("--first-token: {raw} is no token"))?
        }
    };
    Ok(SessionOptions {
        first_token,
        platform_name: Some(target.platform.name().to_owned()),
    })
}

/// The output folder: the one asked for, or one named after the workload when there is a capture.
fn folder(arguments: &RunArguments, workload: &str, is_recorded: bool) -> Option<PathBuf> {
    let asked = arguments.out.clone();
    asked.or_else(|| is_recorded.then(|| Path::new("out").join(workload)))
}
