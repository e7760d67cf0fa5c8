//! `lanescope overhead`: what each level and collector costs, against nothing collected.
//!
//! Device cost is device time: on a simulated platform virtual time, the same in every repetition. A
//! run's cost a task is the time its AICPU threads spend more, which is makespan times threads, over
//! its tasks. Host cost is wall time and CPU time of this process, the median of the repetitions;
//! a simulated device is another process and not counted.

mod budget;

use crate::arguments::{OverheadArguments, RunArguments};
use crate::output;
use crate::run::Prepared;
use anyhow::{Context, Result, bail};
use lanescope::{Collectors, RunOptions, RunOutcome, Session};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use budget::Budget;

/// Wall time of one run says little; the median of three is not that of an unlucky one.
const REPETITIONS: u32 = 3;

/// Ends with 1 when a budget is exceeded, or when records were lost.
pub(crate) fn overhead(arguments: OverheadArguments) -> Result<ExitCode> {
    let OverheadArguments { mut run, budget } = arguments;
    if run.collect.swimlane.is_some()
        || run.out.is_some()
        || run.collect.pmu.as_deref() == Some("all")
    {
        bail!(
            "overhead chooses levels and folders itself; --swimlane, --out and --pmu=all are for run"
        );
    }
    run.collect.swimlane = Some(4);
    run.collect.pmu.get_or_insert_with(|| "2".to_owned());
    let wants_dump = run.collect.dump.is_some();
    run.collect.dump.get_or_insert_default();
    // Results of earlier runs stay where they are.
    let folder = Scratch::new()?;
    run.out = Some(folder.path.clone());
    let mut prepared = Prepared::new(&run)?;
    if !prepared.describes_tensors() && !wants_dump {
        output::note("the workload describes none of its tensors: no row for dump");
        prepared.leave_out_dump();
    }
    let configurations = configurations(&prepared);
    for limit in &budget {
        limit.check(configurations.iter().map(|one| one.name))?;
    }
    let mut session = prepared.open(&run)?;
    let mut rows = Vec::new();
    for configuration in configurations {
        let row = measure(&prepared, &mut session, configuration, &run, &folder)?;
        rows.push(row);
    }
    // Only a run that collects something says how many AICPU threads it had.
    let threads = rows.iter().map(|row| row.threads).max().unwrap_or(0);
    for row in &mut rows {
        row.threads = threads;
    }
    output::data(text(&rows))?;
    let exceeded: Vec<String> = budget
        .iter()
        .flat_map(|limit| limit.exceeded(&rows))
        .collect();
    for text in &exceeded {
        output::note(text);
    }
    let lossy = rows.iter().any(|row| row.outcome != "exact");
    Ok(ExitCode::from(u8::from(lossy || !exceeded.is_empty())))
}

/// What one row runs with.
struct Configuration {
    name: &'static str,
    options: RunOptions,
}

fn configurations(prepared: &Prepared) -> Vec<Configuration> {
    let full = prepared.options();
    let everything = &full.collectors;
    let with = |name, collectors| Configuration {
        name,
        options: RunOptions {
            collectors,
            ..full.clone()
        },
    };
    let level = |level| {
        let mut collectors = Collectors {
            swimlane: everything.swimlane,
            ..Collectors::default()
        };
        collectors.swimlane.level = level;
        collectors
    };
    let mut list = vec![with("off", Collectors::default())];
    if !prepared.chip().registers.pmu.is_read_by_core && full.issue_depth != Some(1) {
        // Counters are read between two tasks: part of what they cost is this.
        let mut alone = with("issue-depth-1", Collectors::default());
        alone.options.issue_depth = Some(1);
        list.push(alone);
    }
    let levels = ["swimlane-1", "swimlane-2", "swimlane-3", "swimlane-4"];
    list.extend(
        (1..)
            .zip(levels)
            .map(|(number, name)| with(name, level(number))),
    );
    let pmu = Collectors {
        pmu: everything.pmu,
        ..Collectors::default()
    };
    list.push(with("pmu", pmu));
    if everything.dump.is_some() {
        let dump = Collectors {
            dump: everything.dump.clone(),
            ..Collectors::default()
        };
        list.push(with("dump", dump));
    }
    list.push(with("all", everything.clone()));
    list
}

/// One measured row.
pub(crate) struct Row {
    name: &'static str,
    outcome: &'static str,
    tasks: u64,
    threads: u64,
    device_ns: f64,
    wall: Duration,
    cpu: Duration,
    recorded_bytes: u64,
    copied_bytes: u64,
}

fn measure(
    prepared: &Prepared,
    session: &mut Session,
    configuration: Configuration,
    arguments: &RunArguments,
    folder: &Scratch,
) -> Result<Row> {
    let Configuration { name, mut options } = configuration;
    options.capture = (!options.collectors.is_empty()).then(|| folder.path.clone());
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    let mut last: Option<RunOutcome> = None;
    // The first run of a session also uploads; every row leaves one out.
    let repetitions = arguments.repeat.unwrap_or(REPETITIONS);
    let told = log::max_level();
    for repetition in 0..=repetitions {
        // What is to be told of a row is told once, behind its name.
        if repetition < repetitions {
            log::set_max_level(log::LevelFilter::Error);
        } else {
            log::set_max_level(told);
            output::note(format!("measured {name}"));
        }
        let begin = cpu_time();
        let outcome = session
            .run(prepared.graph(), &options)
            .with_context(|| format!("the run for {name} failed"))?;
        if repetition > 0 {
            cpus.push(cpu_time().saturating_sub(begin));
            walls.push(outcome.elapsed);
        }
        last = Some(outcome);
    }
    let outcome = last.context("at least one run")?;
    let recorded = outcome
        .capture
        .as_ref()
        .and_then(|path| fs::metadata(path).ok());
    let drain = outcome.drain.unwrap_or_default();
    Ok(Row {
        name,
        outcome: outcome.verdict.outcome.name(),
        tasks: outcome.tasks,
        threads: lane_threads(&outcome),
        device_ns: outcome.device_ticks as f64 * 1e9 / outcome.ticks_per_second as f64,
        wall: median(walls),
        cpu: median(cpus),
        recorded_bytes: recorded.map_or(0, |file| file.len()),
        copied_bytes: drain.copied_bytes + drain.idle_copied_bytes,
    })
}

/// AICPU threads that had lanes.
fn lane_threads(outcome: &RunOutcome) -> u64 {
    let threads = outcome.verdict.lanes.iter().map(|lane| lane.thread);
    threads.collect::<BTreeSet<_>>().len() as u64
}

impl Row {
    /// AICPU time that a task costs more than in `off`.
    fn cost_ns(&self, off: &Self) -> f64 {
        (self.device_ns - off.device_ns) * self.threads as f64 / self.tasks.max(1) as f64
    }

    /// By how much the makespan is longer than in `off`.
    fn share_percent(&self, off: &Self) -> f64 {
        match off.device_ns > 0.0 {
            true => (self.device_ns / off.device_ns - 1.0) * 100.0,
            false => 0.0,
        }
    }
}

fn text(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<14} {:>12} {:>12} {:>9} {:>9} {:>9} {:>14} {:>14}  {}\n",
        "collected",
        "device µs",
        "+ns a task",
        "+device",
        "wall ms",
        "CPU ms",
        "capture bytes",
        "copied bytes",
        "verdict"
    );
    let Some(off) = rows.first() else { return text };
    for row in rows {
        let _ = writeln!(
            text,
            "{:<14} {:>12.3} {:>12.1} {:>7.2} % {:>9.1} {:>9.1} {:>14} {:>14}  {}",
            row.name,
            row.device_ns / 1e3,
            row.cost_ns(off),
            row.share_percent(off),
            row.wall.as_secs_f64() * 1e3,
            row.cpu.as_secs_f64() * 1e3,
            row.recorded_bytes,
            row.copied_bytes,
            row.outcome
        );
    }
    text
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    let middle = durations.len() / 2;
    durations.get(middle).copied().unwrap_or_default()
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

/// A folder for captures that nobody keeps.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self> {
        let name = format!("lanescope-overhead-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
