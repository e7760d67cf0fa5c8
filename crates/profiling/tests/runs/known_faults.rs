//! Faults that others had: each test is named after what must not happen again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, DeviceThread, HeapDevice, Sink, ended};
use lanescope_abi::capture::Policy;
use lanescope_abi::{CommitCounters, LaneDevice, LaneHost};
use lanescope_capture::{Capture, CaptureWriter, Outcome, Verdict};
use lanescope_profiling::LaneSettings;
use lanescope_stress::Aligned;
use std::collections::BTreeSet;
use std::mem::offset_of;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const CAPACITY: u32 = 4;
const RECORDS: u32 = 16;

fn small() -> LaneSettings {
    LaneSettings {
        buffers: CAPACITY,
        records_per_buffer: RECORDS,
        policy: Policy::Block,
        block_limit: Duration::from_secs(60),
        arena_bytes: 0,
    }
}

fn threads_of(bed: &Bed) -> Vec<DeviceThread> {
    (0..bed.threads).map(|thread| bed.thread(thread)).collect()
}

/// A whole run of `count` records; the verdict and the keys of what was written, in order.
fn run(bed: &mut Bed, count: u64) -> (Verdict, Vec<(u16, u32)>) {
    let recording = bed.start(Sink::default());
    let mut threads = threads_of(bed);
    let dispatched = bed.commit_round_robin(&mut threads, count);
    threads.iter_mut().for_each(DeviceThread::flush);
    let mut stopped = recording.stop(&ended(dispatched));
    let keys = keys_of(stopped.writer.take().unwrap());
    (stopped.verdict, keys)
}

fn keys_of(writer: CaptureWriter<Sink>) -> Vec<(u16, u32)> {
    let bytes = Aligned::new(&writer.into_inner().unwrap().bytes);
    let capture = Capture::from_bytes(bytes.bytes()).unwrap();
    let run = capture.run(capture.run_ids()[0]).unwrap().unwrap();
    let records = run.task_records().flatten();
    records.map(|record| (record.core, record.token)).collect()
}

fn assert_exact((verdict, keys): &(Verdict, Vec<(u16, u32)>), count: u64) {
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome, Outcome::Exact);
    let different: BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len() as u64, different.len() as u64), (count, count));
}

/// The buffers that wait in the free queue of a lane, as the device finds them.
fn free_buffers(thread: &DeviceThread) -> Vec<u32> {
    let head = thread.device32(offset_of!(LaneDevice, free_head));
    let tail = thread.host + offset_of!(LaneHost, free_tail) as u64;
    let (head, tail) = (
        head.load(Ordering::Acquire),
        thread.memory.word32(tail).load(Ordering::Acquire),
    );
    assert!(tail.wrapping_sub(head) <= CAPACITY, "more than there are");
    let slots = (head..tail).map(|index| u64::from(index & (CAPACITY - 1)));
    slots
        .map(|slot| {
            thread
                .memory
                .word32(thread.config.free_offset_bytes + slot * 4)
        })
        .map(|word| word.load(Ordering::Relaxed))
        .collect()
}

#[test]
fn a_flushed_buffer_never_overfills_the_free_queue_or_comes_back_twice() {
    for is_coherent in [true, false] {
        let mut bed = Bed::new(is_coherent, 2, 4, small());
        // Every length of the last buffer, none at all included.
        for count in 0..3 * u64::from(RECORDS) {
            assert_exact(&run(&mut bed, count), count);
            for thread in threads_of(&bed) {
                let mut free = free_buffers(&thread);
                free.sort_unstable();
                assert_eq!(free, [0, 1, 2, 3], "after {count} records");
            }
        }
    }
}

#[test]
fn memory_full_of_an_old_session_is_not_taken_for_this_one() {
    for is_coherent in [true, false] {
        let mut old = Bed::new(is_coherent, 4, 8, small());
        run(&mut old, 500);
        let memory = old.device.memory();
        let words = 0..memory.bytes() / 8;
        let left_over: Vec<u8> = words
            .flat_map(|word| {
                memory
                    .word64(word * 8)
                    .load(Ordering::Relaxed)
                    .to_le_bytes()
            })
            .collect();
        let device = Arc::new(HeapDevice::new(is_coherent));
        *device.behaviour.left_over.lock().unwrap() = left_over;
        // Fewer threads and cores, so what is left of the others lies about.
        let mut bed = Bed::on(device, 1, 3, small(), 64);
        assert_exact(&run(&mut bed, 500), 500);
        assert_exact(&run(&mut bed, 7), 7);
    }
}

#[test]
fn counters_that_pass_32_bits_still_add_up() {
    // Bytes that are copied while the device writes them have no meaning for Miri.
    let mappings: &[bool] = if cfg!(miri) { &[true] } else { &[true, false] };
    for &is_coherent in mappings {
        let mut bed = Bed::new(is_coherent, 1, 2, small());
        let thread = bed.thread(0);
        for core in 0..2 {
            let counters = thread.header.counters.at(core);
            let total = counters + offset_of!(CommitCounters, total) as u64;
            let before = u64::from(u32::MAX) - 3;
            thread.memory.word64(total).store(before, Ordering::Release);
        }
        assert_exact(&run(&mut bed, 100), 100);
        assert_exact(&run(&mut bed, 100), 100);
    }
}

#[test]
fn a_lane_that_was_silent_for_a_thousand_looks_is_still_drained() {
    let mut bed = Bed::new(false, 1, 2, small());
    let recording = bed.start(Sink::default());
    let mut threads = threads_of(&bed);
    let mut dispatched = bed.commit_round_robin(&mut threads, 100);
    threads[0].flush();
    threads[0].wait_until_drained();
    // A kernel that runs for long: the host looks, and there is no news.
    let looks = &bed.device.behaviour.copies;
    let enough = looks.load(Ordering::Relaxed) + 1000;
    while looks.load(Ordering::Relaxed) < enough {
        std::thread::sleep(Duration::from_millis(1));
    }
    let later = bed.commit_round_robin(&mut threads, 100);
    threads[0].flush();
    for (sum, more) in dispatched.iter_mut().zip(later) {
        *sum += more;
    }
    let mut stopped = recording.stop(&ended(dispatched));
    let keys = keys_of(stopped.writer.take().unwrap());
    assert_exact(&(stopped.verdict, keys), 200);
}
