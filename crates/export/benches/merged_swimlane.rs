//! How fast a records file of a million tasks becomes the reference's merged_swimlane.json.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_export::{merged_swimlane, records_json};
use lanescope_trace::reference::{Document, Names};
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::path::Path;

const TASKS: u32 = 1_000_000;
/// Fifty times what the reference's converter does.
const TARGET_TASKS_PER_SECOND: f64 = 50.0 * 15e3;
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let synth = Synth {
        tasks: TASKS,
        ..Synth::default()
    };
    let mut text = Vec::new();
    records_json::write(&synth.trace()?, &mut text)?;
    let (mut whole, mut reading) = (f64::MAX, f64::MAX);
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let begin = cpu_seconds();
        let document = Document::read(&text[..], Path::new("bench.json"))?;
        reading = reading.min(cpu_seconds() - begin);
        let written = merged_swimlane::write(&document, &Names::default(), std::io::sink())?;
        whole = whole.min(cpu_seconds() - begin);
        assert_eq!(written.slices, 2 * u64::from(TASKS));
        bytes = written.bytes;
    }
    let rate = f64::from(TASKS) / whole;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
    let a_task = |bytes: u64| bytes as f64 / f64::from(TASKS);
    println!(
        "row: convert to merged_swimlane.json | >= 0.75 M tasks/s | {:.2} M tasks/s, {:.0} B a task | {:.2}",
        rate / 1e6,
        a_task(bytes),
        rate / TARGET_TASKS_PER_SECOND
    );
    println!(
        "row: read l2_perf_records.json | - | {:.2} M tasks/s of {:.0} B, {:.0} MB/s | -",
        f64::from(TASKS) / reading / 1e6,
        a_task(text.len() as u64),
        a_task(text.len() as u64) * f64::from(TASKS) / reading / 1e6
    );
    Ok(())
}

/// Processor time of this process: the target is for one core, whatever else the machine does.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
