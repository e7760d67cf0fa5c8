//! How long a report on ten million tasks takes: without edges from the open capture to the text, with an edge a
//! task from the closed one.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_report::Report;
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;

const TARGET_SECONDS: f64 = 2.0;
const TASKS: u32 = 10_000_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let (open_seconds, report_seconds) = with_capture(0, processor_seconds)?;
    println!("opening and checking the capture of 10 M tasks took {open_seconds:.2} s");
    println!(
        "row: report on 10 M tasks, opening left out, processor time | <= {TARGET_SECONDS:.1} s | {report_seconds:.2} s | {:.2}",
        report_seconds / TARGET_SECONDS
    );
    let mut seconds = with_capture(1, clock_seconds)?;
    seconds.sort_by(f64::total_cmp);
    let median = seconds[ROUNDS / 2];
    println!(
        "row: report on 10 M tasks and 10 M edges, opening included, by the clock, median of {ROUNDS} | <= {TARGET_SECONDS:.1} s | {median:.2} s | {:.2}",
        median / TARGET_SECONDS
    );
    Ok(())
}

/// Measures on the capture of a run with so many edges a task, which lies in memory where the system has a place for it.
fn with_capture<T>(
    edges_per_task: u32,
    measure: impl Fn(&Path) -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let folder = match Path::new("/dev/shm").is_dir() {
        true => PathBuf::from("/dev/shm"),
        false => std::env::temp_dir(),
    };
    let path = folder.join(format!("lanescope-report-{}.lanescope", std::process::id()));
    let synth = Synth {
        tasks: TASKS,
        edges_per_task,
        ..Synth::default()
    };
    synth.write_capture(BufWriter::new(File::create(&path)?))?;
    let measured = measure(&path);
    std::fs::remove_file(&path)?;
    measured
}

/// Processor time to open the capture and to report on it; the least of all rounds.
fn processor_seconds(path: &Path) -> Result<(f64, f64), Box<dyn Error>> {
    let (mut open_seconds, mut report_seconds) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let begin = cpu_seconds();
        let trace = Trace::open(path)?;
        open_seconds = open_seconds.min(cpu_seconds() - begin);
        let begin = cpu_seconds();
        report_on(&trace);
        report_seconds = report_seconds.min(cpu_seconds() - begin);
    }
    Ok((open_seconds, report_seconds))
}

/// How long opening and reporting took by the clock, each round.
fn clock_seconds(path: &Path) -> Result<[f64; ROUNDS], Box<dyn Error>> {
    let mut seconds = [0.0; ROUNDS];
    for seconds in &mut seconds {
        let begin = Instant::now();
        report_on(&Trace::open(path)?);
        *seconds = begin.elapsed().as_secs_f64();
    }
    Ok(seconds)
}

fn report_on(trace: &Trace) {
    let text = Report::of(trace).text();
    assert!(text.contains("10,000,000 tasks"), "{text}");
}

/// Processor time of this process, whatever else the machine does.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
