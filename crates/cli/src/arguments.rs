//! What the command line takes.

use crate::collect::{CollectorArguments, selection};
use crate::dump::Slice;
use crate::overhead::Budget;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lanescope::{DumpSelection, Policy};
use lanescope_examples::WorkloadOptions;
use lanescope_export::perfetto;
use lanescope_export::tables::Table;
use lanescope_trace::Chip;
use lanescope_trace::synth::Synth;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Runs task graphs on Ascend NPUs and shows when every task ran, where, and why it waited
#[derive(Debug, Parser)]
#[command(name = "lanescope", version, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 good; 1 finished, but data was lost or numbers differ; 2 not done."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workload and check its numbers
    Run(Box<RunArguments>),
    /// Print the report of a run
    Report(ReportArguments),
    /// Compare runs, and hold the difference to budgets
    Diff(DiffArguments),
    /// Put runs of several devices and hosts on one timeline
    Merge(MergeArguments),
    /// Convert a run to a format that other tools read
    Export(ExportArguments),
    /// Measure what each swimlane level and collector costs, against nothing collected
    Overhead(Box<OverheadArguments>),
    /// List the tensors of a run, look into them, or compare them with those of another run
    Dump(DumpArguments),
    /// Show a run in the browser: one page that needs no network
    View(ViewArguments),
    /// Ask one run or thousands in SQL; takes what lanescope-sql takes, which has to be built
    Sql(SqlArguments),
    /// Keep other tools' files of one run as a capture
    Import(ImportArguments),
    /// Make up a run of any size and write its capture
    Synth(SynthArguments),
    /// Describe platforms, builds and devices
    Info(InfoArguments),
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The workload and its sizes
    #[command(subcommand)]
    pub(crate) workload: WorkloadOptions,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    #[command(flatten)]
    pub(crate) collect: CollectorArguments,
    /// Folder for capture, verdict, report and trace [default when something is collected:
    /// out/WORKLOAD]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the simulated chip; 0 is the exact cost model
    #[arg(long, global = true, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// AICPU threads that schedule [default: the chip's]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Clusters of one cube and two vector cores [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) clusters: Option<u32>,
    /// Tasks in flight on a core, at most the ring size [default: the ring size]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) issue_depth: Option<u32>,
    /// A time limit: block, handshake, scheduler, op, sync or write
    #[arg(long = "limit", global = true, value_name = "NAME=SECONDS", value_parser = limit)]
    pub(crate) limits: Vec<(String, Duration)>,
    /// A setting of the simulated driver
    #[arg(long = "sim", global = true, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) sim: Vec<(String, String)>,
    /// First token of every core, as a test of the wrap sets it
    #[arg(long, global = true, value_name = "TOKEN", hide = true)]
    pub(crate) first_token: Option<u32>,
    /// How often to run the graph in one session; the last run is reported [default: 1; overhead: 3]
    #[arg(long, global = true, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: Option<u32>,
}

#[derive(Args, Debug)]
pub(crate) struct OverheadArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Most that a row may cost, as AICPU time a task or part of the makespan; without a row's name,
    /// each that collects something
    #[arg(long, global = true, value_name = "[ROW=]NSns|P%", value_parser = Budget::parse)]
    pub(crate) budget: Vec<Budget>,
}

/// Which device, and what was built for it.
#[derive(Args, Debug)]
pub(crate) struct TargetArguments {
    /// a2a3, a2a3sim, a5 or a5sim [default: the platform of the build]
    #[arg(long, global = true, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,
    /// Device id, as ASCEND_RT_VISIBLE_DEVICES numbers them
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) device: u32,
    /// Build folder with device programs and kernels [default: LANESCOPE_BUILD, or the one this
    /// command lies in, or one beside it]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) build: Option<PathBuf>,
    /// How programs are launched [default: the newest form the driver offers]
    #[arg(long, global = true, value_name = "FORM")]
    pub(crate) launch: Option<LaunchName>,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArguments {
    /// Folder of a run, a capture, or a file that `lanescope import` takes
    pub(crate) dir: PathBuf,
    /// How to tell it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Where to write; `-` is stdout
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) names: NamesArguments,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

#[derive(Args, Debug)]
pub(crate) struct MergeArguments {
    /// The runs; the host clock of the first is the merged one's
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Folder for the merged capture
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// What to add to the clock of a run, and how far that may be off: to its host's clock where it has
    /// clock pairs, else to the device's
    #[arg(long, value_name = "NAME=NS[~NS]")]
    pub(crate) offset: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArguments {
    /// Two runs, before and after; with --against any number of runs before
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// The runs after; several runs of a side give medians and a noise band
    #[arg(long, value_name = "RUN", num_args = 1..)]
    pub(crate) against: Vec<PathBuf>,
    /// What a number may be, as in `makespan<=+2%`; may be given several times
    #[arg(long, value_name = "BUDGET")]
    pub(crate) budget: Vec<String>,
    /// How to tell it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: DiffFormat,
    /// Show what did not change, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Where to write; `-` is stdout
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For a terminal
    Text,
    /// For programs: docs/reports.md has the schema
    Json,
    /// For a pull request
    Markdown,
    /// One page that needs no network and no script
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For a terminal
    Text,
    /// For programs: docs/reports.md has the schema
    Json,
    /// One page that needs no network and no script
    Html,
    /// What the reference's converter prints, byte for byte
    Reference,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// Folder of a run, a capture, or a file that `lanescope import` takes
    pub(crate) dir: PathBuf,
    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: FormatName,
    /// Where to write; `-` is stdout [default: a file or folder beside the input]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Of a format that has tables, only this one
    #[arg(long, value_name = "TABLE", value_parser = table)]
    pub(crate) table: Option<Table>,
    /// parquet: the host's name in the dataset [default: as the run says]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// parquet: the run's name in the dataset [default: a fingerprint of the run]
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) perfetto: PerfettoArguments,
    #[command(flatten)]
    pub(crate) names: NamesArguments,
    /// merged-swimlane: print what the reference's converter prints, its statistics above all
    #[arg(long)]
    pub(crate) statistics: bool,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

/// What a Perfetto trace leaves out, so that it is smaller and opens sooner.
#[derive(Args, Debug)]
pub(crate) struct PerfettoArguments {
    /// perfetto: tell of a kernel no more than task id, head wait and tail wait
    #[arg(long)]
    pub(crate) few_arguments: bool,
    /// perfetto: leave out what the AICPU saw of each task, dispatch to finish
    #[arg(long)]
    pub(crate) no_aicpu_tracks: bool,
    /// perfetto: leave out the arrows of edges
    #[arg(long)]
    pub(crate) no_flows: bool,
}

/// Which device log belongs to a records file.
#[derive(Args, Debug)]
pub(crate) struct LogArguments {
    /// The reference's statistics: the device log; a folder or a pattern stands for its newest [default:
    /// of all logs, the one nearest in time]
    #[arg(long, value_name = "FILE|DIR|GLOB")]
    pub(crate) device_log: Option<PathBuf>,
    /// The reference's statistics: take the newest log of this device
    #[arg(short, long, value_name = "N")]
    pub(crate) device: Option<u32>,
    /// The reference's statistics: print the scheduler's deep dive without a device log too [default: with
    /// one, or with --deps]
    #[arg(long)]
    pub(crate) deep_dive: bool,
}

/// What lies beside a records file of the reference runtime.
#[derive(Args, Debug)]
pub(crate) struct NamesArguments {
    /// The reference's formats: its name map, for functions and the orchestrator
    #[arg(long, value_name = "FILE")]
    pub(crate) func_names: Option<PathBuf>,
    /// The reference's formats: a kernel_config.py, whose KERNELS name functions where --func-names is not
    /// given
    #[arg(short, long, value_name = "FILE")]
    pub(crate) kernel_config: Option<PathBuf>,
    /// The reference's formats: take successors from this deps.json; merged-swimlane marks those that were
    /// not kept
    #[arg(long, value_name = "FILE")]
    pub(crate) deps: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct DumpArguments {
    /// Folder of a run, or a capture file
    pub(crate) dir: PathBuf,
    /// Only those that task=ID, function=NAME, arg=N, stage=before and stage=after name
    #[arg(long, value_name = "SELECTION", value_parser = selection, default_value = "",
          hide_default_value = true)]
    pub(crate) select: DumpSelection,
    /// Show minimum, maximum, mean, and how many elements are NaN or infinite
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print elements, as in `[0:4,:]`
    #[arg(long, value_name = "SLICE", value_parser = Slice::parse)]
    pub(crate) slice: Option<Slice>,
    /// Write a NumPy file for each into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) npy: Option<PathBuf>,
    /// Compare with the tensors of another run, and name the first task that differs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stats", "slice", "npy"])]
    pub(crate) compare: Option<PathBuf>,
    /// How far elements may be apart, in parts of the other run's
    #[arg(long, value_name = "RATIO", default_value_t = 0.0, requires = "compare",
          value_parser = tolerance)]
    pub(crate) rtol: f64,
    /// How far elements may be apart
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.0, requires = "compare",
          value_parser = tolerance)]
    pub(crate) atol: f64,
}

#[derive(Args, Debug)]
pub(crate) struct ViewArguments {
    /// Folder of a run, or a file with one
    pub(crate) source: PathBuf,
    /// Where to write the page; `-` is stdout [default: view.html in the folder]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write no file: hand the page to browsers of this machine until Ctrl-C
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:0",
          value_parser = loopback, conflicts_with = "output")]
    pub(crate) serve: Option<SocketAddr>,
    /// Open the page in the browser
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// l2_perf_records.json, chip_swimlane_records.json, deps.json, name_map_*.json, pmu.csv,
    /// tensor_dump.json, Chrome trace JSON, or a folder with such files; all of one run
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the capture; it is made
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct SynthArguments {
    /// Tasks
    #[arg(long, value_name = "N")]
    pub(crate) tasks: u32,
    /// Cores, a third of them cube cores [default: those of the chip]
    #[arg(long, value_name = "C",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(Synth::MAX_CORES)))]
    pub(crate) cores: Option<u32>,
    /// Another seed, another run
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Edges into each task, as far as there are tasks before it
    #[arg(long, value_name = "E", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(..=i64::from(Synth::MAX_EDGES)))]
    pub(crate) edges: u32,
    /// Make up hardware counters of every task, too
    #[arg(long)]
    pub(crate) pmu: bool,
    /// The chip whose counter and threads to use
    #[arg(long, value_name = "CHIP", default_value = "a2a3", value_parser = chip)]
    pub(crate) chip: Chip,
    /// Mean kernel time in nanoseconds
    #[arg(long, value_name = "NS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(2..=1_000_000_000))]
    pub(crate) mean_run_ns: u64,
    /// Folder for the capture; it is made
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct SqlArguments {
    /// What is asked, and the question: SOURCE… 'SELECT …'; --help tells more
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) words: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    #[command(flatten)]
    pub(crate) target: TargetArguments,
}

/// What happens to a record when no buffer is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyName {
    /// Wait, up to the block limit.
    Block,
    /// Lose the newest record.
    DropNewest,
    /// Of a tensor keep what fits.
    Truncate,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LaunchName {
    /// One call delivers the AICPU program and launches it
    Classic,
    /// A dispatcher stores the program, launches name it
    ByName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// Perfetto protobuf, for <https://ui.perfetto.dev>
    Perfetto,
    /// The `l2_perf_records.json` of the reference runtime
    RecordsJson,
    /// The `merged_swimlane.json` of the reference's converter, byte for byte
    MergedSwimlane,
    /// The `pmu.csv` of the reference runtime
    PmuCsv,
    /// The folder `tensor_dump` of the reference runtime: manifest and payload
    TensorDump,
    /// Chrome trace JSON, for viewers and scripts that read nothing else
    Chrome,
    /// Tables as CSV: tasks, edges, phases, pmu, runs, verdicts
    Csv,
    /// A Mermaid flowchart of a small graph
    Mermaid,
    /// The same tables in a Parquet dataset, which the run is added to; docs/parquet.md
    Parquet,
    /// The same tables as Arrow IPC files
    Arrow,
}

impl NamesArguments {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let deps = || self.deps.as_ref().map(|_| "--deps");
        let kernels = || self.kernel_config.as_ref().map(|_| "--kernel-config");
        self.func_names
            .as_ref()
            .map(|_| "--func-names")
            .or_else(kernels)
            .or_else(deps)
    }
}

impl LogArguments {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let device = || self.device.map(|_| "--device");
        self.device_log
            .as_ref()
            .map(|_| "--device-log")
            .or_else(device)
            .or_else(|| self.deep_dive.then_some("--deep-dive"))
    }
}

impl PerfettoArguments {
    /// The first option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let options = [
            (self.few_arguments, "--few-arguments"),
            (self.no_aicpu_tracks, "--no-aicpu-tracks"),
            (self.no_flows, "--no-flows"),
        ];
        let given = options.into_iter().find(|&(is_given, _)| is_given);
        given.map(|(_, name)| name)
    }

    pub(crate) fn options(&self) -> perfetto::Options {
        perfetto::Options {
            arguments: match self.few_arguments {
                true => perfetto::Arguments::Three,
                false => perfetto::Arguments::All,
            },
            aicpu_tracks: !self.no_aicpu_tracks,
            flows: !self.no_flows,
        }
    }
}

impl ExportArguments {
    /// An option that was given and speaks of one format alone.
    pub(crate) fn of_merged_swimlane(&self) -> Option<&'static str> {
        let statistics = || self.statistics.then_some("--statistics");
        self.names.given().or_else(statistics)
    }

    /// The same of a Parquet dataset.
    pub(crate) fn of_parquet(&self) -> Option<&'static str> {
        let host = self.host.as_ref().map(|_| "--host");
        host.or(self.run.as_ref().map(|_| "--run"))
    }
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::Block => Self::Block,
            PolicyName::DropNewest => Self::DropNewest,
            PolicyName::Truncate => Self::Truncate,
        }
    }
}

impl From<LaunchName> for lanescope::LaunchForm {
    fn from(name: LaunchName) -> Self {
        match name {
            LaunchName::Classic => Self::Classic,
            LaunchName::ByName => Self::ByName,
        }
    }
}

/// A port, or an address of this machine with one.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "expected PORT or 127.0.0.1:PORT; the run stands before --serve".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("a run is shown to this machine alone: 127.0.0.1 or [::1]".to_owned());
    }
    Ok(address)
}

fn table(text: &str) -> Result<Table, String> {
    let found = Table::ALL.into_iter().find(|table| table.name() == text);
    found.ok_or_else(|| {
        let names = Table::ALL.map(Table::name).join(", ");
        format!("no table is called {text}, expected {names}")
    })
}

fn chip(text: &str) -> Result<Chip, String> {
    let found = Chip::ALL.into_iter().find(|chip| chip.name() == text);
    found.ok_or_else(|| format!("no chip is called {text}, expected a2a3 or a5"))
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value >= 0.0 => Ok(value),
        _ => Err(format!("{text}, expected a number of 0 or more")),
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn limit(text: &str) -> Result<(String, Duration), String> {
    let (name, value) = setting(text)?;
    let seconds = value
        .parse()
        .map_err(|_| format!("{value} is no number of seconds"))?;
    let limit = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    let names = ["block", "handshake", "scheduler", "op", "sync", "write"];
    if !names.contains(&name.as_str()) {
        return Err(format!(
            "no limit is called {name}, expected {}",
            names.join(", ")
        ));
    }
    Ok((name, limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    fn parse(line: &str) -> RunArguments {
        let words = line.split(' ');
        match Arguments::try_parse_from(words).expect("parses").command {
            Command::Run(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_stand_before_and_behind_the_workload() {
        let before = parse("lanescope run --platform a5sim --swimlane vector --tasks 20");
        assert_eq!(before.collect.swimlane, Some(4));
        assert_eq!(before.target.platform.as_deref(), Some("a5sim"));
        let behind =
            parse("lanescope run vector --tasks 20 --platform a5sim --swimlane=2 --seed 3");
        assert_eq!((behind.collect.swimlane, behind.seed), (Some(2), Some(3)));
        assert_eq!(parse("lanescope run bgemm").collect.swimlane, None);
    }

    #[test]
    fn limits_are_named_seconds() {
        let limits = parse("lanescope run vector --limit sync=70 --limit block=0.5").limits;
        assert_eq!(limits[1], ("block".to_owned(), Duration::from_millis(500)));
        assert!(limit("wait=3").is_err());
        assert!(limit("sync=-1").is_err());
    }
}
