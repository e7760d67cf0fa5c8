//! Draining to a capture on tmpfs against plain writes of the same bytes, alternated.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench may panic and prints its row"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use lanescope_abi::{CommitCounters, LaneDevice};
use lanescope_capture::{CaptureWriter, Outcome};
use lanescope_profiling::LaneSettings;
use std::fs::File;
use std::io::Write;
use std::mem::offset_of;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::{Bed, DeviceThread, ended};

const LANES: u32 = 4;
const BUFFERS: u32 = 512;
const RECORDS_PER_BUFFER: u32 = 1024;
const PAIRS: usize = 5;

fn main() {
    let path = scratch();
    let records = u64::from(LANES * BUFFERS * RECORDS_PER_BUFFER);
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let drained = drain(&path);
        let written = plain(&path);
        pairs.push((written.as_secs_f64() / drained.as_secs_f64(), drained));
    }
    std::fs::remove_file(&path).unwrap();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, drained) = pairs[PAIRS / 2];
    let rate = records as f64 / drained.as_secs_f64() / 1e6;
    println!(
        "row: drain to tmpfs against plain writes, median of {PAIRS} pairs | ≥ 0.8, or ≥ 40 M records/s \
         | {rate:.1} M records/s ({:.2} GB/s) | {ratio:.2}",
        rate * 64.0 / 1e3
    );
}

fn scratch() -> PathBuf {
    let shared_memory = PathBuf::from("/dev/shm");
    let folder = if shared_memory.is_dir() {
        shared_memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("lanescope-drain-{}", std::process::id()))
}

fn settings() -> LaneSettings {
    LaneSettings {
        buffers: BUFFERS,
        records_per_buffer: RECORDS_PER_BUFFER,
        ..LaneSettings::default()
    }
}

/// All buffers of all lanes are full when the clock starts; it stops when they are in the file and
/// the verdict is known.
fn drain(path: &PathBuf) -> Duration {
    let mut bed = Bed::new(true, LANES, LANES, settings());
    let mut threads: Vec<_> = (0..LANES).map(|lane| bed.thread(lane)).collect();
    let per_core = u64::from(BUFFERS * RECORDS_PER_BUFFER);
    bed.run_id = 1;
    let first = bed.next_tokens.clone();
    for (core, thread) in (0..LANES).zip(&mut threads) {
        for _ in 0..per_core {
            thread.place(&bed.record(core));
        }
    }
    bed.next_tokens = first;
    bed.run_id = 0;
    // Hide what stands in the queues until the recording has begun.
    let hidden: Vec<LaneDevice> = threads.iter().map(hide).collect();
    let _ = std::fs::remove_file(path);
    let recording = bed.start(File::create(path).unwrap());
    let begin = Instant::now();
    for ((core, thread), line) in (0..LANES).zip(&threads).zip(&hidden) {
        let counters = thread.header.counters.at(core * LANES + core);
        let total = counters + offset_of!(CommitCounters, total) as u64;
        thread
            .memory
            .word64(total)
            .store(per_core, Ordering::Release);
        let sequence = thread.device64(offset_of!(LaneDevice, sequence));
        sequence.store(line.sequence, Ordering::Release);
        let free_head = thread.device32(offset_of!(LaneDevice, free_head));
        free_head.store(line.free_head, Ordering::Release);
        let ready_tail = thread.device32(offset_of!(LaneDevice, ready_tail));
        ready_tail.store(line.ready_tail, Ordering::Release);
    }
    let stopped = recording.stop(&ended(vec![per_core; LANES as usize]));
    let elapsed = begin.elapsed();
    assert_eq!(
        stopped.verdict.outcome,
        Outcome::Exact,
        "{:?}",
        stopped.verdict.findings
    );
    assert_eq!(
        stopped.verdict.totals.collected,
        per_core * u64::from(LANES)
    );
    elapsed
}

/// The lane as it is before any run, for a run begins with all buffers free; what it said is returned.
fn hide(thread: &DeviceThread) -> LaneDevice {
    let line: LaneDevice = thread.memory.read(thread.device);
    let zero = |field| thread.device32(field).store(0, Ordering::Release);
    zero(offset_of!(LaneDevice, ready_tail));
    zero(offset_of!(LaneDevice, free_head));
    let sequence = thread.device64(offset_of!(LaneDevice, sequence));
    sequence.store(0, Ordering::Release);
    line
}

/// The same bytes from memory that is just as cold, in writes of a buffer each.
fn plain(path: &PathBuf) -> Duration {
    let buffer = (RECORDS_PER_BUFFER * 64) as usize;
    let source = vec![7_u8; buffer * (BUFFERS * LANES) as usize];
    let _ = std::fs::remove_file(path);
    let mut file = CaptureWriter::new(File::create(path).unwrap())
        .unwrap()
        .into_inner()
        .unwrap();
    let begin = Instant::now();
    for part in source.chunks(buffer) {
        file.write_all(part).unwrap();
    }
    begin.elapsed()
}
