//! The device's own recorder and this crate, on one memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, ControlRegion, Sink, ended};
use lanescope_abi::capture::Policy;
use lanescope_abi::token::TOKEN_LAST;
use lanescope_capture::{Capture, Outcome};
use lanescope_profiling::{LaneSettings, RunEnd};
use std::collections::HashSet;
use std::time::Duration;

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 16,
    policy: Policy::Block,
    block_limit: Duration::from_secs(20),
    arena_bytes: 0,
};

/// Runs every thread of the bed and says what was dispatched to each core.
fn run(bed: &mut Bed, count: u64, is_orderly: bool) -> Vec<u64> {
    let control = ControlRegion::new(bed);
    let threads: Vec<_> = (0..bed.threads)
        .map(|thread| {
            let control = control.clone();
            std::thread::spawn(move || control.run_thread(thread, count, is_orderly))
        })
        .collect();
    let mut dispatched = vec![0; bed.cores as usize];
    for thread in threads {
        for (sum, part) in dispatched.iter_mut().zip(thread.join().unwrap()) {
            *sum += part;
        }
    }
    for (token, count) in bed.next_tokens.iter_mut().zip(&dispatched) {
        *token = token.advance(*count);
    }
    dispatched
}

#[test]
fn what_the_recorder_commits_is_in_the_capture() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 3, 9, SETTINGS);
        assert!(
            bed.next_tokens[0].raw() > TOKEN_LAST - 100,
            "the wrap is crossed"
        );
        for count in [20_000, 7, 1_601] {
            let recording = bed.start(Sink::default());
            let dispatched = run(&mut bed, count, true);
            let stopped = recording.stop(&ended(dispatched));
            assert_eq!(stopped.verdict.findings, []);
            assert_eq!(stopped.verdict.outcome, Outcome::Exact);
            assert_eq!(stopped.verdict.totals.collected, 3 * count);
            let sink = stopped.writer.unwrap().into_inner().unwrap();
            let capture = Capture::from_bytes(&sink.bytes).unwrap();
            let run = capture.run(bed.run_id).unwrap().unwrap();
            let keys: HashSet<(u16, u32)> = run
                .task_records()
                .flatten()
                .map(|record| (record.core, record.token))
                .collect();
            assert_eq!(keys.len() as u64, 3 * count);
        }
    }
}

#[test]
fn a_run_that_breaks_off_leaves_nothing_behind() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 2, 4, SETTINGS);
        for round in 0..6 {
            let recording = bed.start(Sink::default());
            let dispatched = run(&mut bed, 37, false);
            let stopped = recording.stop(&RunEnd {
                dispatched: Some(dispatched),
                ..RunEnd::default()
            });
            assert_eq!(stopped.verdict.outcome, Outcome::Partial);
            assert_eq!(stopped.verdict.findings.len(), 1, "round {round}");
            assert_eq!(stopped.verdict.totals.collected, 74);
            assert_eq!(stopped.verdict.abandoned, []);
        }
        let recording = bed.start(Sink::default());
        let dispatched = run(&mut bed, 5_000, true);
        let stopped = recording.stop(&ended(dispatched));
        assert_eq!(stopped.verdict.findings, []);
        assert_eq!(stopped.verdict.totals.collected, 10_000);
    }
}
