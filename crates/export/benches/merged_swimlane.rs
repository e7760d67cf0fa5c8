//! How fast a records file of a million tasks becomes the reference's merged_swimlane.json.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_export::{merged_swimlane, records_json};
use lanescope_trace::reference::{Document, Names};
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Instant;

const TASKS: u32 = 1_000_000;
/// Millions of tasks a second: fifty times what the reference's converter does.
const TARGET: f64 = 50.0 * 15e3 / 1e6;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let synth = Synth {
        tasks: TASKS,
        ..Synth::default()
    };
    let mut text = Vec::new();
    records_json::write(&synth.trace()?, &mut text)?;
    let processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let all = Seconds::of(&text, processors)?;
    let one = Seconds::of(&text, NonZeroUsize::MIN)?;
    let rate = |seconds: f64| f64::from(TASKS) / seconds / 1e6;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
    let a_task = |bytes: u64| bytes as f64 / f64::from(TASKS);
    let read_bytes = a_task(text.len() as u64);
    println!(
        "row: convert to merged_swimlane.json, {processors} processors | >= 0.75 M tasks/s | {:.2} M tasks/s, {:.0} B a task | {:.2}",
        rate(all.whole),
        a_task(all.bytes),
        rate(all.whole) / TARGET
    );
    println!(
        "row: the same, a second of processor time | - | {:.2} M tasks/s | -",
        rate(one.busy)
    );
    println!(
        "row: read l2_perf_records.json, {processors} processors | - | {:.2} M tasks/s of {read_bytes:.0} B, {:.0} MB/s | -",
        rate(all.reading),
        read_bytes * rate(all.reading)
    );
    Ok(())
}

/// The least of all rounds.
struct Seconds {
    /// By the clock.
    whole: f64,
    reading: f64,
    /// Of all processors together.
    busy: f64,
    bytes: u64,
}

impl Seconds {
    fn of(text: &[u8], threads: NonZeroUsize) -> Result<Self, Box<dyn Error>> {
        let mut least = Self {
            whole: f64::MAX,
            reading: f64::MAX,
            busy: f64::MAX,
            bytes: 0,
        };
        for _ in 0..ROUNDS {
            let (begin, busy) = (Instant::now(), cpu_seconds());
            let document = Document::read(text, Path::new("bench.json"))?;
            least.reading = least.reading.min(begin.elapsed().as_secs_f64());
            let names = Names::default();
            let written = merged_swimlane::write_with(threads, &document, &names, io::sink())?;
            least.whole = least.whole.min(begin.elapsed().as_secs_f64());
            least.busy = least.busy.min(cpu_seconds() - busy);
            assert_eq!(written.slices, 2 * u64::from(TASKS));
            least.bytes = written.bytes;
        }
        Ok(least)
    }
}

/// Processor time of this process: unlike the clock it says little of what else the machine does.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
