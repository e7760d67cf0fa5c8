//! How long a report on ten million tasks takes, from the open capture to the text.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_report::Report;
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

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
        let begin = Instant::now();
        let trace = Trace::open(path)?;
        open_seconds = open_seconds.min(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let text = Report::of(&trace).text();
        report_seconds = report_seconds.min(begin.elapsed().as_secs_f64());
        assert!(text.contains("10,000,000 tasks"), "{text}");
    }
    Ok((open_seconds, report_seconds))
}
