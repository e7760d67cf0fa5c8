//! How long a report on ten million tasks takes, from the open capture to the text.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_report::Report;
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;

const TARGET_SECONDS: f64 = 2.0;
const TASKS: u32 = 10_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = match std::path::Path::new("/dev/shm").is_dir() {
        true => std::path::PathBuf::from("/dev/shm"),
        false => std::env::temp_dir(),
    };
    let path = folder.join(format!("lanescope-report-{}.lanescope", std::process::id()));
    let synth = Synth {
        tasks: TASKS,
        edges_per_task: 0,
        ..Synth::default()
    };
    synth.write_capture(BufWriter::new(File::create(&path)?))?;
    let measured = measure(&path);
    std::fs::remove_file(&path)?;
    let (open_seconds, report_seconds) = measured?;
    println!("opening and checking the capture of 10 M tasks took {open_seconds:.2} s");
    println!(
        "row: report on 10 M tasks | <= {TARGET_SECONDS:.1} s | {report_seconds:.2} s | {:.2}",
        report_seconds / TARGET_SECONDS
    );
    Ok(())
}

/// Seconds to open the capture and to report on it; the best of three.
fn measure(path: &std::path::Path) -> Result<(f64, f64), Box<dyn Error>> {
    let (mut open_seconds, mut report_seconds) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let begin = cpu_seconds();
        let trace = Trace::open(path)?;
        open_seconds = open_seconds.min(cpu_seconds() - begin);
        let begin = cpu_seconds();
        let text = Report::of(&trace).text();
        report_seconds = report_seconds.min(cpu_seconds() - begin);
        assert!(text.contains("10,000,000 tasks"), "{text}");
    }
    Ok((open_seconds, report_seconds))
}

/// Processor time of this process: the targets are for one core, whatever else the machine does.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
