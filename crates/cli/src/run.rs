//! `lanescope run`: run a workload, check its numbers, report, write the trace.

use crate::arguments::RunArguments;
use crate::build_folder::Target;
use crate::output;
use crate::progress::Progress;
use crate::results::{self, Results};
use anyhow::{Context, Result, bail};
use lanescope::{
    CAPTURE_FILE_NAME, Collectors, LaneOptions, Limits, OpenOptions, RunOptions, RunOutcome,
    Session, SessionOptions, SwimlaneOptions, Token,
};
use lanescope_examples::{Built, Target as WorkloadTarget};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode> {
    let prepared = Prepared::new(arguments)?;
    let mut session = prepared.open(arguments)?;
    let outcome = prepared.execute(&mut session, arguments.repeat)?;
    let right = check_numbers(&prepared.built, &session)?;
    drop(session);
    let verdict = report(&prepared, &outcome)?;
    Ok(if right { verdict } else { ExitCode::from(1) })
}

/// Everything that can be checked before a device is opened or a file written.
struct Prepared {
    target: Target,
    built: Built,
    options: RunOptions,
    session: SessionOptions,
    folder: Option<PathBuf>,
}

impl Prepared {
    fn new(arguments: &RunArguments) -> Result<Self> {
        let target = Target::find(&arguments.target)?;
        if arguments.seed.is_some() && !target.platform.is_simulated() {
            bail!(
                "--seed is for simulated platforms, {} is none",
                target.platform.name()
            );
        }
        let options = run_options(arguments, &target)?;
        options.limits.check()?;
        let session = session_options(arguments, &target)?;
        let workload = arguments.workload.clone().open()?;
        let built = workload.build(&WorkloadTarget {
            kernels: &target.build,
            chip: target.platform.chip(),
        })?;
        built.graph.check()?;
        let folder = folder(arguments, workload.name());
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
        })
    }

    /// Opens the device, refuses what it cannot do, and only then makes the output folder.
    fn open(&self, arguments: &RunArguments) -> Result<Session> {
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
        if let Some(folder) = &self.folder {
            results::make_folder(folder)?;
        }
        Ok(session)
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
fn report(prepared: &Prepared, outcome: &RunOutcome) -> Result<ExitCode> {
    let verdict = &outcome.verdict;
    if let Some(folder) = prepared.capture_folder() {
        let results = Results::write(folder)?;
        output::data(results.report().text())?;
        output::note(format!(
            "wrote {} (capture, verdict, report and trace)",
            folder.display()
        ));
        output::note(format!(
            "open {} at https://ui.perfetto.dev (Open trace file; nothing is uploaded)",
            results.trace_path().display()
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
    Ok(ExitCode::from(verdict.exit_code()))
}

fn run_options(arguments: &RunArguments, target: &Target) -> Result<RunOptions> {
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
    Ok(RunOptions {
        collectors: Collectors {
            swimlane: SwimlaneOptions {
                level: arguments.swimlane.unwrap_or(0),
                lanes: LaneOptions {
                    policy: arguments.policy.into(),
                    buffers: arguments.buffers,
                    records_per_buffer: arguments.records_per_buffer,
                },
            },
            ..Collectors::default()
        },
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
    })
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
fn folder(arguments: &RunArguments, workload: &str) -> Option<PathBuf> {
    let recorded = arguments.swimlane.is_some_and(|level| level > 0);
    arguments
        .out
        .clone()
        .or_else(|| recorded.then(|| Path::new("out").join(workload)))
}
