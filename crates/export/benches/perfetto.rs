//! How fast a capture of a million tasks becomes a Perfetto trace, and how large.
#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_export::perfetto::{self, Arguments, Options};
use lanescope_trace::Trace;
use lanescope_trace::synth::Synth;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

const TASKS: u32 = 1_000_000;
const TARGET_TASKS_PER_SECOND: f64 = 3e6;
const TARGET_BYTES: f64 = 70.0;
const TARGET_EDGE_BYTES: f64 = 20.0;
const ROUNDS: usize = 5;

/// Three arguments, one edge, no AICPU tracks: what the targets speak of.
const LEAN: Options = Options {
    arguments: Arguments::Three,
    aicpu_tracks: false,
    flows: true,
};

fn main() -> Result<(), Box<dyn Error>> {
    let one = measured(1, &LEAN)?;
    let two = measured(2, &LEAN)?;
    let full = measured(1, &Options::default())?;
    println!(
        "row: convert to Perfetto | >= 3.0 M tasks/s | {:.2} M tasks/s | {:.2}",
        one.tasks_per_second / 1e6,
        one.tasks_per_second / TARGET_TASKS_PER_SECOND
    );
    println!(
        "row: Perfetto, all arguments and AICPU tracks | - | {:.2} M tasks/s, {:.1} B a task | -",
        full.tasks_per_second / 1e6,
        full.bytes_per_task
    );
    println!(
        "row: Perfetto size, 3 arguments, 1 edge | <= 70 B a task | {:.1} B | {:.2}",
        one.bytes_per_task,
        one.bytes_per_task / TARGET_BYTES
    );
    let edge_bytes = two.bytes_per_task - one.bytes_per_task;
    println!(
        "row: Perfetto size, an extra edge | <= 20 B | {edge_bytes:.1} B | {:.2}",
        edge_bytes / TARGET_EDGE_BYTES
    );
    Ok(())
}

struct Measured {
    tasks_per_second: f64,
    bytes_per_task: f64,
}

/// Exports a made-up capture to nowhere, with edges sorted and all; the best of some rounds.
fn measured(edges_per_task: u32, options: &Options) -> Result<Measured, Box<dyn Error>> {
    let folder = match Path::new("/dev/shm").is_dir() {
        true => PathBuf::from("/dev/shm"),
        false => std::env::temp_dir(),
    };
    let path = folder.join(format!("lanescope-export-{}.lanescope", std::process::id()));
    let synth = Synth {
        tasks: TASKS,
        edges_per_task,
        ..Synth::default()
    };
    synth.write_capture(BufWriter::new(File::create(&path)?))?;
    let trace = Trace::open(&path);
    std::fs::remove_file(&path)?;
    let trace = trace?;
    let mut best_seconds = f64::MAX;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let begin = cpu_seconds();
        let written = perfetto::write(&trace, options, std::io::sink())?;
        best_seconds = best_seconds.min(cpu_seconds() - begin);
        assert_eq!(written.slices, u64::from(TASKS));
        bytes = written.bytes;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
    let bytes = bytes as f64;
    Ok(Measured {
        tasks_per_second: f64::from(TASKS) / best_seconds,
        bytes_per_task: bytes / f64::from(TASKS),
    })
}

/// Processor time of this process: the targets are for one core, whatever else the machine does.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 nanoseconds")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
