//! What goes wrong in the middle of a run: what is captured is in the file, what is not is in the
//! verdict, and the next run is a sound one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, ControlRegion, DeviceThread, Gate, Sink, ended, record};
use lanescope_abi::LaneHost;
use lanescope_abi::capture::Policy;
use lanescope_abi::control::DeviceError;
use lanescope_capture::{Capture, CaptureError, CaptureWriter, FindingKind, Outcome};
use lanescope_profiling::{LaneSettings, RunEnd, Stopped};
use std::collections::HashSet;
use std::io::{self, Write};
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 16,
    policy: Policy::Block,
    block_limit: Duration::from_secs(20),
    arena_bytes: 0,
};

fn kinds(stopped: &Stopped<Sink>) -> HashSet<FindingKind> {
    let findings = stopped.verdict.findings.iter();
    findings.map(|finding| finding.kind).collect()
}

fn assert_next_run_is_sound(bed: &mut Bed) {
    bed.device.behaviour.revive();
    let recording = bed.start(Sink::default());
    let mut threads: Vec<_> = (0..bed.threads).map(|thread| bed.thread(thread)).collect();
    let dispatched = bed.commit_round_robin(&mut threads, 1_000);
    threads.iter_mut().for_each(DeviceThread::flush);
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.findings, []);
    assert_eq!(stopped.verdict.totals.collected, 1_000);
    bed.assert_buffers_free();
}

#[test]
fn a_copy_that_fails_in_the_middle_of_a_pass_loses_no_record_that_was_handed_over() {
    let mut refused = 0;
    for is_coherent in [true, false] {
        for others in 0..40 {
            let mut bed = Bed::new(is_coherent, 2, 4, SETTINGS);
            let recording = bed.start(Sink::default());
            bed.device.behaviour.refuse_copy_after(others);
            let mut threads = [bed.thread(0), bed.thread(1)];
            // No more than the lanes hold: a drain that has failed returns no buffer in this run.
            let dispatched = bed.commit_round_robin(&mut threads, 100);
            threads.iter_mut().for_each(DeviceThread::flush);
            let stopped = recording.stop(&ended(dispatched));
            let has_counts = stopped.verdict.totals.total == 100;
            assert_eq!(stopped.verdict.totals.collected, 100, "after {others}");
            if kinds(&stopped) == HashSet::from([FindingKind::ReadFailed]) {
                refused += 1;
                assert_eq!(stopped.verdict.outcome, Outcome::Broken);
            } else {
                assert_eq!(stopped.verdict.findings, []);
                assert!(has_counts);
            }
            assert_next_run_is_sound(&mut bed);
        }
    }
    assert!(
        refused > 40,
        "{refused} of 80 copies were refused in the run"
    );
}

/// Each lane has two full buffers and, behind them, one half full. Of one lane none of them can be read,
/// or not the first, and what is behind that is lost with it, or not the last.
#[test]
fn a_lane_that_cannot_be_read_keeps_no_other_from_being_drained_and_salvaged() {
    for is_coherent in [true, false] {
        for (unreadable, buffers, left) in [
            (0, 0..4, 0),
            (1, 0..4, 0),
            (0, 0..1, 0),
            (1, 0..1, 0),
            (0, 2..3, 32),
            (1, 2..3, 32),
        ] {
            let mut bed = Bed::new(is_coherent, 2, 2, SETTINGS);
            let recording = bed.start(Sink::default());
            let lane = bed.profiler.layout().lanes()[unreadable as usize];
            let place = |buffer: u64| lane.buffers_offset_bytes + buffer * 16 * 64;
            let buffers = place(buffers.start)..place(buffers.end);
            *bed.device.behaviour.refused_range.lock().unwrap() = Some(buffers);
            let mut threads = [bed.thread(0), bed.thread(1)];
            let dispatched = bed.commit_round_robin(&mut threads, 80);
            let stopped = recording.stop(&RunEnd {
                dispatched: Some(dispatched),
                ..RunEnd::default()
            });
            assert_eq!(stopped.verdict.outcome, Outcome::Partial);
            assert_eq!(
                kinds(&stopped),
                HashSet::from([
                    FindingKind::NotEnded,
                    FindingKind::ReadFailed,
                    FindingKind::SilentLoss
                ])
            );
            let collected: Vec<(u32, u64)> = (stopped.verdict.cores.iter())
                .map(|core| (core.core.expect("a kind of cores"), core.counts.collected))
                .collect();
            let expected = [0, 1].map(|core| (core, if core == unreadable { left } else { 40 }));
            assert_eq!(collected, expected);
            assert_next_run_is_sound(&mut bed);
        }
    }
}

#[test]
fn a_device_that_goes_on_keeps_the_buffer_it_fills() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 1, 1, SETTINGS);
        let recording = bed.start(Sink::default());
        let mut threads = [bed.thread(0)];
        let mut dispatched = bed.commit_round_robin(&mut threads, 26);
        // The host has asked before it does so.
        dispatched[0] -= 1;
        threads[0].wait_until_drained();
        let stopped = recording.stop(&RunEnd {
            device_goes_on: true,
            dispatched: Some(dispatched),
            ..RunEnd::default()
        });
        assert_eq!(kinds(&stopped), HashSet::from([FindingKind::NotEnded]));
        let collected = stopped.verdict.totals.collected;
        assert_eq!(collected, 26, "with what is in the buffer");
        let mut places = threads[0].census();
        places[0].sort_unstable();
        let buffer = threads[0].buffer();
        let others: Vec<u32> = (0..4).filter(|&other| other != buffer).collect();
        assert_eq!(places, [others, vec![buffer], Vec::new()]);

        // It fills that one, hands it over, and takes the next.
        bed.commit_round_robin(&mut threads, 20);
        bed.assert_buffers_conserved();
        assert_next_run_is_sound(&mut bed);
    }
}

/// Whenever the host looks, the last time too, the device has just handed over a buffer and begun
/// another. What it goes on to is not in the capture, and is no gap in it either.
#[test]
fn a_device_that_goes_on_and_on_is_not_waited_for_and_is_not_corrupt() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 1, 1, SETTINGS);
        let recording = bed.start(Sink::default());
        let mut thread = bed.thread(0);
        let first = bed.next_tokens[0];
        let (run_id, lines) = (bed.run_id, thread.device);
        let committed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&committed);
        bed.device.behaviour.on_look.set(move |range| {
            for _ in 0..17 {
                if range.start == lines && thread.has_room() {
                    let token = first.advance(count.fetch_add(1, Ordering::Relaxed));
                    thread.commit(&record(run_id, 0, token));
                }
            }
        });
        let stopped = recording.stop(&RunEnd {
            device_goes_on: true,
            ..RunEnd::default()
        });
        bed.device.behaviour.on_look.clear();
        bed.next_tokens[0] = first.advance(committed.load(Ordering::Relaxed));
        assert_eq!(stopped.verdict.outcome, Outcome::Partial);
        assert_eq!(
            kinds(&stopped),
            HashSet::from([FindingKind::NotEnded, FindingKind::SilentLoss])
        );
        let sink = stopped.writer.unwrap().into_inner().unwrap();
        let capture = Capture::from_bytes(&sink.bytes).unwrap();
        let run = capture.run(run_id).unwrap().unwrap();
        let tokens = run.task_records().flatten().map(|record| record.token);
        let tokens: Vec<u32> = tokens.collect();
        let expected = (0..stopped.verdict.totals.collected).map(|step| first.advance(step).raw());
        assert_eq!(tokens, expected.collect::<Vec<_>>());
        assert_next_run_is_sound(&mut bed);
    }
}

/// The device's recorder finds that its ready queue cannot be: the host salvages the full buffer, and
/// what came after it is counted as dropped.
#[test]
fn a_full_buffer_that_cannot_be_handed_over_is_salvaged() {
    let mut bed = Bed::new(true, 1, 1, SETTINGS);
    let recording = bed.start(Sink::default());
    let line = bed.profiler.layout().header().lane_hosts.at(0);
    let head = line + offset_of!(LaneHost, ready_head) as u64;
    let control = ControlRegion::new(&bed);
    control.play(0, |played| {
        bed.device
            .memory()
            .word32(head)
            .store(77, Ordering::Release);
        for task in 0..15 {
            played.commit(0, task).unwrap();
        }
        let failure = played.commit(0, 15).unwrap_err();
        assert_eq!(failure.error, DeviceError::CorruptQueue);
        for task in 16..20 {
            played.commit(0, task).unwrap();
        }
    });
    let stopped = recording.stop(&RunEnd {
        dispatched: Some(vec![20]),
        ..RunEnd::default()
    });
    assert_eq!(
        kinds(&stopped),
        HashSet::from([FindingKind::NotEnded, FindingKind::Dropped])
    );
    let totals = stopped.verdict.totals;
    assert_eq!((totals.collected, totals.dropped.no_buffer), (16, 4));
    assert_eq!(stopped.verdict.abandoned, []);
    bed.next_tokens[0] = bed.next_tokens[0].advance(20);
    bed.device.memory().word32(head).store(0, Ordering::Release);
    assert_next_run_is_sound(&mut bed);
}

/// The disk is full when only the verdict and the end are left to write: that is an error, and the
/// file, readable, does not say that the run ended.
#[test]
fn a_capture_that_cannot_be_closed_is_an_error_and_stays_readable() {
    let mut bed = Bed::new(true, 1, 2, SETTINGS);
    let recording = bed.start(Sink::default());
    let mut threads = [bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 50);
    threads[0].flush();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Exact);
    let whole = stopped.writer.unwrap().into_inner().unwrap().bytes;
    let session = bed.session();
    for room in (0..2_000).step_by(97) {
        let limit = whole.len() + room;
        let mut writer = CaptureWriter::new(Sink {
            limit: Some(limit),
            ..Sink::default()
        })
        .unwrap();
        writer.session(&session).unwrap();
        put_records(&whole, &mut writer);
        let closed = writer
            .verdict(&stopped.verdict)
            .and_then(|()| writer.end_run(session.run_id));
        let sink = writer.into_inner().unwrap();
        let capture = Capture::from_bytes(&sink.bytes).unwrap();
        let run = capture.run(session.run_id).unwrap().unwrap();
        assert_eq!(run.task_records().flatten().count(), 50);
        assert_eq!(run.is_ended(), closed.is_ok(), "room for {room} bytes");
        if let Err(error) = closed {
            assert!(matches!(error, CaptureError::Write { .. }), "{error:?}");
        }
    }
}

/// Writes the records of one capture into another.
fn put_records(from: &[u8], to: &mut CaptureWriter<Sink>) {
    let capture = Capture::from_bytes(from).unwrap();
    for block in capture.blocks() {
        if let lanescope_capture::format::BlockKind::Records(kind) = block.kind() {
            to.records(&lanescope_capture::RecordBlock {
                kind,
                lane: block.header.lane,
                run_id: block.header.run_id,
                sequence: block.header.sequence,
                record_bytes: kind.record_bytes().unwrap(),
                bytes: block.payload,
                checksum: block.header.payload_checksum,
            })
            .unwrap();
        }
    }
}

/// Takes everything and fails when it is to make it last, as a file on a broken disk does.
#[derive(Debug, Default)]
struct Unflushable(Vec<u8>);

impl Write for Unflushable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_capture_that_cannot_be_flushed_is_an_error_of_its_end() {
    let mut bed = Bed::new(true, 1, 1, SETTINGS);
    let recording = bed.start(Unflushable::default());
    let mut threads = [bed.thread(0)];
    let dispatched = bed.commit_round_robin(&mut threads, 5);
    threads[0].flush();
    let stopped = recording.stop(&ended(dispatched));
    assert_eq!(stopped.verdict.outcome, Outcome::Exact);
    let mut writer = stopped.writer.unwrap();
    writer.verdict(&stopped.verdict).unwrap();
    let error = writer.end_run(bed.run_id).unwrap_err();
    assert!(matches!(error, CaptureError::Write { .. }), "{error:?}");
    assert!(writer.is_failed());
    assert_next_run_is_sound(&mut bed);
}

/// With two host blocks the drain thread is the one that waits; with 64 only the end of the run is.
#[test]
fn a_file_that_takes_no_block_ends_the_recording_at_its_limit_and_not_the_run() {
    for host_blocks in [2, 64] {
        let mut bed = Bed::with_blocks(true, 1, 1, SETTINGS, host_blocks);
        bed.profiler.limit_writes(Duration::from_millis(50));
        let gate = Gate::default();
        let recording = bed.start(Sink {
            gate: gate.clone(),
            ..Sink::default()
        });
        gate.close();
        let mut threads = [bed.thread(0)];
        let dispatched = bed.commit_round_robin(&mut threads, 300);
        threads[0].flush();
        let stopped = recording.stop(&ended(dispatched));
        let error = stopped.write_error.as_ref().unwrap();
        assert!(matches!(error, CaptureError::Stalled { .. }), "{error:?}");
        assert!(stopped.writer.is_none());
        assert!(kinds(&stopped).contains(&FindingKind::WriteFailed));
        assert_eq!(stopped.verdict.outcome, Outcome::Broken);
        assert_eq!(stopped.verdict.totals.total, 300);
        assert!(
            stopped.verdict.totals.dropped.no_buffer == 0,
            "the device was held up"
        );
        gate.open();
        bed.profiler.limit_writes(Duration::from_secs(30));
        assert_next_run_is_sound(&mut bed);
    }
}
