//! A device that writes nonsense: every kind of it is found, and none of it is believed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, DeviceThread, Sink, ended};
use lanescope_abi::{CommitCounters, LaneDevice, ReadyEntry, TaskRecord, Token};
use lanescope_capture::{Capture, FindingKind, Outcome};
use lanescope_profiling::{LaneSettings, RunEnd, Stopped};
use proptest::prelude::*;
use std::collections::HashSet;
use std::mem::offset_of;
use std::sync::atomic::Ordering;

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 8,
    policy: lanescope_abi::capture::Policy::Block,
    block_limit: std::time::Duration::from_secs(20),
    arena_bytes: 0,
};

/// Runs 100 honest records and then whatever `nonsense` does; says what was found.
fn found(nonsense: impl Fn(&mut Bed, &mut [DeviceThread])) -> HashSet<FindingKind> {
    let mut seen = Vec::new();
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 2, 4, SETTINGS);
        let recording = bed.start(Sink::default());
        let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
        let dispatched = bed.commit_round_robin(&mut threads, 100);
        threads.iter_mut().for_each(DeviceThread::flush);
        threads.iter().for_each(DeviceThread::wait_until_drained);
        nonsense(&mut bed, &mut threads);
        let stopped = recording.stop(&ended(dispatched));
        assert_eq!(stopped.verdict.outcome, Outcome::Broken);
        assert_eq!(stopped.verdict.exit_code(), 1);
        for finding in &stopped.verdict.findings {
            assert!(finding.text.contains("thread"), "{}", finding.text);
        }
        seen.push(kinds(&stopped));
    }
    assert_eq!(seen[0], seen[1]);
    seen.remove(0)
}

fn kinds(stopped: &Stopped<Sink>) -> HashSet<FindingKind> {
    let findings = stopped.verdict.findings.iter();
    findings.map(|finding| finding.kind).collect()
}

fn entry(buffer: u32, count: u32) -> impl Fn(&mut Bed, &mut [DeviceThread]) {
    move |_, threads| {
        threads[1].publish_entry(ReadyEntry {
            buffer,
            count,
            sequence: 0,
        });
    }
}

fn store32(field: usize, value: u32) -> impl Fn(&mut Bed, &mut [DeviceThread]) {
    move |_, threads| threads[0].device32(field).store(value, Ordering::Release)
}

/// Commits a record that is changed, and everything counted as if it were not.
fn changed(change: fn(&mut TaskRecord)) -> impl Fn(&mut Bed, &mut [DeviceThread]) {
    move |bed, threads| {
        let mut record = bed.record(0);
        change(&mut record);
        threads[0].place(&record);
        threads[0].flush();
    }
}

#[test]
fn indices_and_entries_out_of_range() {
    let corruption = HashSet::from([FindingKind::Corruption]);
    assert_eq!(
        found(store32(offset_of!(LaneDevice, ready_tail), 1_000)),
        corruption
    );
    assert_eq!(
        found(store32(offset_of!(LaneDevice, ready_tail), 1)),
        corruption
    );
    assert_eq!(found(entry(4, 1)), corruption);
    assert_eq!(found(entry(u32::MAX, 1)), corruption);
    // A free buffer that was never taken may only come back when its turn has come.
    for buffer in 0..4 {
        let found = found(entry(buffer, 0));
        assert_eq!(found, corruption);
    }
    assert_eq!(found(entry(2, 9)), corruption);
}

#[test]
fn a_free_head_that_runs_away() {
    let found = found(|bed, threads| {
        let record = bed.record(0);
        threads[0].place(&record);
        threads[0]
            .device32(offset_of!(LaneDevice, free_head))
            .store(7_000, Ordering::Release);
        threads[0].publish();
    });
    assert_eq!(found, HashSet::from([FindingKind::Corruption]));
}

#[test]
fn a_filling_buffer_that_cannot_be() {
    for pair in [(1_u64 << 32) | 77, (9 << 32) | 1] {
        let found = found(|_, threads| {
            threads[0]
                .device64(offset_of!(LaneDevice, filling_buffer))
                .store(pair, Ordering::Release);
        });
        assert_eq!(found, HashSet::from([FindingKind::Corruption]));
    }
}

#[test]
fn records_that_name_what_they_cannot() {
    let identity = HashSet::from([FindingKind::WrongIdentity]);
    assert_eq!(found(changed(|record| record.core = 4)), identity);
    assert_eq!(found(changed(|record| record.core = u16::MAX)), identity);
    assert_eq!(found(changed(|record| record.core = 1)), identity);
    assert_eq!(found(changed(|record| record.run_id += 1)), identity);
    assert_eq!(found(changed(|record| record.core_type ^= 1)), identity);
    assert_eq!(found(changed(|record| record.token = 0)), identity);
    assert_eq!(
        found(changed(|record| {
            let token = Token::new(record.token).unwrap();
            record.token = token.previous().raw();
        })),
        HashSet::from([FindingKind::Duplicate])
    );
}

#[test]
fn counts_that_do_not_add_up() {
    let count =
        |field| move |_: &mut Bed, threads: &mut [DeviceThread]| threads[0].count_one(2, field);
    assert_eq!(
        found(count(offset_of!(CommitCounters, total))),
        HashSet::from([FindingKind::SilentLoss, FindingKind::Corruption])
    );
    assert_eq!(
        found(count(offset_of!(CommitCounters, mismatched))),
        HashSet::from([FindingKind::Mismatched, FindingKind::Corruption])
    );
    assert_eq!(
        found(|_, threads| threads[1].count_one(2, offset_of!(CommitCounters, total))),
        HashSet::from([FindingKind::WrongIdentity])
    );
    assert_eq!(
        found(|bed, threads| {
            let record = bed.record(0);
            threads[0].place(&record);
            threads[0].flush();
        }),
        HashSet::from([FindingKind::Corruption, FindingKind::WrongIdentity])
    );
}

#[test]
fn a_lost_buffer_is_a_gap() {
    let found = found(|bed, threads| {
        threads[0]
            .device64(offset_of!(LaneDevice, sequence))
            .store(99, Ordering::Release);
        let _ = bed;
    });
    assert_eq!(found, HashSet::from([FindingKind::BufferGap]));
}

#[test]
fn a_mismatch_leaves_a_gap_that_is_explained() {
    let mut bed = Bed::new(true, 1, 1, SETTINGS);
    let recording = bed.start(Sink::default());
    let mut thread = bed.thread(0);
    for index in 0..10 {
        let record = bed.record(0);
        if index == 4 {
            thread.mismatch(&record);
        } else {
            thread.commit(&record);
        }
    }
    thread.flush();
    let stopped = recording.stop(&ended(vec![10]));
    assert_eq!(kinds(&stopped), HashSet::from([FindingKind::Mismatched]));
    assert_eq!(stopped.verdict.totals.accounted(), 10);
}

#[test]
fn a_run_that_commits_less_than_was_dispatched_is_broken() {
    let mut bed = Bed::new(true, 1, 1, SETTINGS);
    let recording = bed.start(Sink::default());
    let mut threads = [bed.thread(0)];
    bed.commit_round_robin(&mut threads, 10);
    threads[0].flush();
    let stopped = recording.stop(&RunEnd {
        expected_tasks: Some(12),
        expected_tensors: None,
        ..ended(vec![11])
    });
    assert_eq!(
        kinds(&stopped),
        HashSet::from([FindingKind::NeverCommitted, FindingKind::TaskCount])
    );
}

#[test]
fn a_flood_of_findings_stays_short_and_the_next_run_has_a_sound_lane() {
    let mut bed = Bed::new(true, 1, 1, SETTINGS);
    let recording = bed.start(Sink::default());
    let mut thread = bed.thread(0);
    for _ in 0..1_000 {
        let mut record = bed.record(0);
        record.core = 9;
        while !thread.is_buffer_free() {
            std::thread::yield_now();
        }
        thread.place(&record);
    }
    thread.publish_entry(ReadyEntry {
        buffer: 77,
        count: 1,
        sequence: 0,
    });
    let stopped = recording.stop(&ended(vec![0]));
    assert!(stopped.verdict.findings.len() < 40);
    let strays: u64 = stopped
        .verdict
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::WrongIdentity)
        .map(|finding| finding.count)
        .sum();
    assert_eq!(strays, 1_000);

    let recording = bed.start(Sink::default());
    let mut threads = [bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 1_000);
    threads[0].flush();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.findings, []);
    assert_eq!(stopped.verdict.totals.collected, 1_000);
}

lanescope_stress::properties! {
    200 cases;

    /// Anything written anywhere in the words of the device, while it is drained and before.
    #[test]
    fn any_bytes_at_all_end_in_a_verdict(
        is_coherent in any::<bool>(),
        scribbles in proptest::collection::vec((any::<prop::sample::Index>(), scribble()), 1..60),
        honest in 0u64..200,
    ) {
        let mut bed = Bed::new(is_coherent, 2, 4, SETTINGS);
        let recording = bed.start(Sink::default());
        let mut threads: Vec<_> = (0..2).map(|thread| bed.thread(thread)).collect();
        let dispatched = bed.commit_round_robin(&mut threads, honest);
        let memory = bed.device.memory();
        let header = bed.profiler.layout().header();
        let words: Vec<u64> = [
            (header.lane_devices.offset_bytes, header.lane_devices.end().unwrap()),
            (header.counters.offset_bytes, header.counters.end().unwrap()),
            queues_and_buffers(&bed),
        ]
        .into_iter()
        .flat_map(|(begin, end)| (begin..end).step_by(4))
        .collect();
        for (place, value) in &scribbles {
            memory.word32(*place.get(&words)).store(*value, Ordering::Release);
        }
        let stopped = recording.stop(&ended(dispatched));
        let sink = stopped.writer.unwrap().into_inner().unwrap();
        let capture = Capture::from_bytes(&sink.bytes).unwrap();
        let run = capture.run(1).unwrap().unwrap();
        let in_file = run.task_records().flatten().count() as u64;
        prop_assert!(stopped.verdict.totals.collected <= in_file);
        prop_assert!(stopped.stats.records >= in_file);
    }
}

fn scribble() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..10, any::<u32>(), Just(u32::MAX)]
}

fn queues_and_buffers(bed: &Bed) -> (u64, u64) {
    let lanes = bed.profiler.layout().lanes();
    let last = lanes.last().unwrap();
    let bytes = u64::from(last.capacity * last.records_per_buffer * last.record_bytes);
    (
        lanes[0].ready_offset_bytes,
        last.buffers_offset_bytes + bytes,
    )
}
