//! What an export takes in memory, pages of the mapped capture included, does not grow with the trace.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_export::tables::Table;
use lanescope_export::{chrome, csv, perfetto, pmu_csv, records_json};
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

type Export = fn(&Trace);

const EXPORTS: [(&str, Export); 6] = [
    ("perfetto", |trace| {
        perfetto::write(trace, &perfetto::Options::default(), io::sink()).unwrap();
    }),
    ("chrome", |trace| {
        chrome::write(trace, io::sink()).unwrap();
    }),
    ("records-json", |trace| {
        records_json::write(trace, io::sink()).unwrap();
    }),
    ("csv, tasks", |trace| {
        csv::write(trace, Table::Tasks, io::sink()).unwrap();
    }),
    ("csv, edges", |trace| {
        csv::write(trace, Table::Edges, io::sink()).unwrap();
    }),
    ("pmu-csv", |trace| {
        pmu_csv::write(trace, io::sink()).unwrap();
    }),
];

const FEW_TASKS: u32 = 300_000;
const MANY_TASKS: u32 = 700_000;
/// Four words for each edge: the table of edges, and the same by consumer.
const EDGE_BYTES: u64 = 16;
/// Of readers that are not at the same place, each of which keeps up to 16 MiB, and of the allocator.
const SLACK_BYTES: u64 = 36 << 20;

/// A made-up capture; the caller removes it.
fn capture(tasks: u32) -> PathBuf {
    let name = format!("lanescope-memory-{}-{tasks}.lanescope", std::process::id());
    let path = std::env::temp_dir().join(name);
    let synth = Synth {
        tasks,
        pmu: true,
        ..Synth::default()
    };
    let file = BufWriter::new(File::create(&path).unwrap());
    synth.write_capture(file).unwrap();
    path
}

/// A line of the kernel's account of this process, in bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib = line.split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// The most memory that opening and exporting a capture takes beyond what was there.
fn most_of(path: &Path, export: Export) -> u64 {
    let before = status("VmRSS");
    // Makes the peak what it is now.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    export(&Trace::open(path).unwrap());
    status("VmHWM").saturating_sub(before)
}

/// The only test of this program: another thread's memory would be counted too.
#[test]
fn an_export_of_more_tasks_takes_no_more_than_their_edges() {
    let (few, many) = (capture(FEW_TASKS), capture(MANY_TASKS));
    let most = EXPORTS.map(|(name, export)| (name, most_of(&few, export), most_of(&many, export)));
    fs::remove_file(few).unwrap();
    fs::remove_file(many).unwrap();
    let edges = EDGE_BYTES * u64::from(MANY_TASKS - FEW_TASKS);
    for (name, few, many) in most {
        // Without giving pages back it would be 77 MB more: 192 bytes a task.
        assert!(
            many <= few + edges + SLACK_BYTES,
            "{name}: {few} bytes, then {many}"
        );
    }
}
