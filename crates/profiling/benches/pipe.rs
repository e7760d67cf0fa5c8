//! The whole pipe: four AICPU threads record as fast as they can, the host drains, checks and writes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench may panic and prints its rows"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use lanescope_capture::Outcome;
use lanescope_profiling::{DrainStats, LaneSettings};
use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;
use support::{Bed, ControlRegion, ended};

const LANES: u32 = 4;
const CORES: u32 = 72;
const RECORDS_PER_LANE: u64 = 2_000_000;
const ROUNDS: usize = 5;

fn main() {
    for (is_coherent, name, target) in [(true, "coherent", 15.0), (false, "shadow", 10.0)] {
        let mut rounds: Vec<(f64, DrainStats)> = (0..ROUNDS).map(|_| round(is_coherent)).collect();
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, stats) = rounds[ROUNDS / 2];
        println!(
            "row: whole pipe, four lanes, {name} mapping, none lost | ≥ {target} M records/s \
             | {rate:.1} M records/s | {:.2}",
            rate / target
        );
        if !is_coherent {
            let news = stats.ticks_with_news * 8192;
            let ratio = (stats.copied_bytes - news.min(stats.copied_bytes)) as f64
                / stats.record_bytes as f64;
            println!(
                "row: copied bytes a record byte, shadow mapping, 8 KiB a tick with news apart | ≤ 1.1 \
                 | {:.3} in all | {ratio:.3}",
                stats.copied_bytes as f64 / stats.record_bytes as f64
            );
        }
    }
}

fn round(is_coherent: bool) -> (f64, DrainStats) {
    let folder = PathBuf::from("/dev/shm");
    let folder = if folder.is_dir() {
        folder
    } else {
        std::env::temp_dir()
    };
    let path = folder.join(format!("lanescope-pipe-{}", std::process::id()));
    let mut bed = Bed::new(is_coherent, LANES, CORES, LaneSettings::default());
    let recording = bed.start(File::create(&path).unwrap());
    let control = ControlRegion::new(&bed);
    let begin = Instant::now();
    let threads: Vec<_> = (0..LANES)
        .map(|thread| {
            let control = control.clone();
            std::thread::spawn(move || control.run_thread(thread, RECORDS_PER_LANE, true))
        })
        .collect();
    let mut dispatched = vec![0; CORES as usize];
    for thread in threads {
        for (sum, part) in dispatched.iter_mut().zip(thread.join().unwrap()) {
            *sum += part;
        }
    }
    let stopped = recording.stop(&ended(dispatched));
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(
        stopped.verdict.outcome,
        Outcome::Exact,
        "{:?}",
        stopped.verdict.findings
    );
    let records = stopped.verdict.totals.collected;
    assert_eq!(records, u64::from(LANES) * RECORDS_PER_LANE);
    std::fs::remove_file(&path).unwrap();
    (records as f64 / seconds / 1e6, stopped.stats)
}
