//! Payloads go through the arenas of their lanes, come out whole or are found, and give their room back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Bed, Lie, Payloads, Sink, TensorThread, ended, payload};
use lanescope_abi::capture::Policy;
use lanescope_abi::{TensorRecord, Token};
use lanescope_capture::{FindingKind, Outcome, Verdict};
use lanescope_profiling::{DrainStats, Dump, LaneSettings, RunEnd};
use lanescope_stress::{Effort, Numbers, Tried};
use std::time::Duration;

fn settings(arena_bytes: u64) -> LaneSettings {
    LaneSettings {
        buffers: 4,
        records_per_buffer: 8,
        policy: Policy::Block,
        block_limit: Duration::from_secs(20),
        arena_bytes,
    }
}

fn bed(is_coherent: bool, threads: u32, cores: u32, arena_bytes: u64) -> Bed {
    let dump = Dump::new(settings(arena_bytes));
    Bed::with_collectors(is_coherent, threads, cores, vec![Box::new(dump)])
}

struct Recorded {
    verdict: Verdict,
    stats: DrainStats,
    payloads: Payloads,
}

impl Bed {
    /// A run in which the threads commit tensors; says what was recorded of it. `tokens` of each core
    /// were dispatched.
    fn record_tensors(
        &mut self,
        tokens: u64,
        expected: Option<u64>,
        commit: impl FnOnce(&mut [TensorThread]),
    ) -> Recorded {
        let recording = self.start(Sink::default());
        let mut threads: Vec<_> = (0..self.threads)
            .map(|thread| TensorThread::attach(self, thread))
            .collect();
        commit(&mut threads);
        for thread in &mut threads {
            thread.thread.flush();
        }
        let end = RunEnd {
            expected_tensors: expected,
            ..ended(vec![tokens; self.cores as usize])
        };
        let stopped = recording.stop(&end);
        for token in &mut self.next_tokens {
            *token = token.advance(tokens);
        }
        let file = stopped.writer.unwrap().into_inner().unwrap().bytes;
        Recorded {
            verdict: stopped.verdict,
            stats: stopped.stats,
            payloads: Payloads::of(&file, self.run_id),
        }
    }
}

/// Every tensor with its bytes, in the order of its lane, and no other.
fn assert_captured(recorded: &Recorded, lane: u32, written: &[(TensorRecord, Vec<u8>)]) {
    let of_lane = recorded.payloads.records.iter();
    let captured: Vec<TensorRecord> = of_lane
        .filter(|(of, _)| *of == lane)
        .map(|(_, record)| *record)
        .collect();
    let records: Vec<TensorRecord> = written.iter().map(|(record, _)| *record).collect();
    assert_eq!(captured, records);
    for (record, bytes) in written {
        let captured = recorded.payloads.bytes_of(lane, record);
        assert_eq!(captured.as_ref(), Some(bytes), "{record:?}");
    }
}

#[test]
fn payloads_of_every_size_arrive_whole_across_many_laps() {
    let effort = Effort::new("payloads_of_every_size_arrive_whole_across_many_laps", 12);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let is_coherent = numbers.below(2) == 0;
        let arena_bytes = [4096, 4160, 65536, 1 << 20][numbers.below(4)];
        let mut bed = bed(is_coherent, 2, 4, arena_bytes);
        for _ in 0..2 {
            let first = bed.next_tokens.clone();
            let mut written = [Vec::new(), Vec::new()];
            let recorded = bed.record_tensors(40, Some(160), |threads| {
                for step in 0..40 {
                    for core in 0..4 {
                        let thread = &mut threads[core as usize % 2];
                        let token = first[core as usize].advance(step);
                        // Now and then all of the arena.
                        let most = arena_bytes - 128;
                        let bytes = match numbers.below(8) {
                            0 => most,
                            1 => 0,
                            _ => numbers.draw() % (most / 2),
                        };
                        let bytes = payload(numbers.draw(), bytes);
                        let record = thread.record(core, token, 1, 0);
                        let record = thread.commit(record, &bytes);
                        written[core as usize % 2].push((record, bytes));
                    }
                }
            });
            assert_eq!(recorded.verdict.outcome, Outcome::Exact, "seed {seed}");
            assert_eq!(recorded.verdict.findings, [], "seed {seed}");
            for lane in [0, 1] {
                assert_captured(&recorded, lane, &written[lane as usize]);
            }
            let DrainStats {
                record_bytes,
                payload_bytes,
                copied_bytes,
                ticks_with_news,
                ..
            } = recorded.stats;
            let useful = record_bytes + payload_bytes;
            let allowed = useful + useful / 10 + 8192 * ticks_with_news;
            assert!(copied_bytes <= allowed, "{copied_bytes} of {allowed}");
            effort.add(Tried::Runs, 1);
            effort.add(Tried::Bytes, payload_bytes);
        }
    }
}

#[test]
fn a_payload_that_is_not_what_was_recorded_is_found_and_the_others_are_whole() {
    let told = [
        (Lie::Opening, "the mark before it"),
        (Lie::Closing, "the mark behind it"),
        (Lie::Byte, "its checksum"),
        (Lie::Lapped, "gone on over it"),
        (Lie::Untaken, "has not taken its room"),
    ];
    for is_coherent in [true, false] {
        for (lie, words) in told {
            let mut bed = bed(is_coherent, 1, 1, 1 << 20);
            let first = bed.next_tokens[0];
            let mut written = Vec::new();
            let recorded = bed.record_tensors(5, Some(5), |threads| {
                let thread = &mut threads[0];
                for step in 0..5 {
                    let bytes = payload(step, 100_000);
                    let record = thread.record(0, first.advance(step), 1, 0);
                    let lie = if step == 2 { lie } else { Lie::None };
                    let record = thread.commit_with(record, &bytes, lie);
                    // Each stands for itself: the host has it before the next is written.
                    thread.thread.flush();
                    thread.thread.wait_until_drained();
                    thread.store_tail(thread.tail);
                    written.push((record, bytes));
                }
            });
            let place = format!("{lie:?}, coherent {is_coherent}");
            let findings = &recorded.verdict.findings;
            assert_eq!(findings.len(), 1, "{place}: {findings:?}");
            assert_eq!(findings[0].kind, FindingKind::Overwritten, "{place}");
            let sequence = format!("payload {}", written[2].0.sequence);
            let text = &findings[0].text;
            assert!(text.contains(words) && text.contains(&sequence), "{text}");
            assert_eq!(recorded.verdict.outcome, Outcome::Broken);
            written.remove(2);
            for (record, bytes) in &written {
                let captured = recorded.payloads.bytes_of(0, record);
                assert_eq!(captured.as_ref(), Some(bytes), "{place}");
            }
            let next = bed.record_tensors(0, Some(0), |_| ());
            assert_eq!(next.verdict.outcome, Outcome::Exact, "{place}");
        }
    }
}

#[test]
fn a_place_that_cannot_be_is_found_and_nothing_is_copied_for_it() {
    const ARENA: u64 = 8192;
    type Change = fn(&mut TensorRecord);
    let changes: [(&str, Change); 9] = [
        ("unaligned", |record| record.payload_begin += 8),
        ("behind", |record| record.payload_begin = 0),
        ("a lap on", |record| record.payload_begin += ARENA),
        ("nowhere", |record| record.payload_begin = u64::MAX - 63),
        ("too long", |record| record.payload_bytes = ARENA - 64),
        ("2^60", |record| record.payload_bytes = 1 << 60),
        ("endless", |record| record.payload_bytes = u64::MAX),
        ("to the end", |record| record.payload_bytes = u64::MAX - 64),
        ("wrapping", |record| {
            record.payload_begin = 1 << 63;
            record.payload_bytes = 1 << 63;
        }),
    ];
    for is_coherent in [true, false] {
        for (what, change) in changes {
            let mut bed = bed(is_coherent, 1, 1, ARENA);
            let first = bed.next_tokens[0];
            let recorded = bed.record_tensors(4, Some(4), |threads| {
                let thread = &mut threads[0];
                for step in 0..4 {
                    let record = thread.record(0, first.advance(step), 1, 0);
                    let bytes = payload(step, 1000);
                    let mut record = thread.enter(record, &bytes);
                    record.tensor_bytes = 1000;
                    if step == 2 {
                        change(&mut record);
                        record.tensor_bytes = record.payload_bytes;
                        record.tensor.rank = 200;
                    }
                    thread.thread.commit_of(0, &record);
                }
            });
            let findings = &recorded.verdict.findings;
            let kinds: Vec<FindingKind> = findings.iter().map(|found| found.kind).collect();
            assert_eq!(kinds, [FindingKind::Corruption], "{what}: {findings:?}");
            assert!(
                findings[0].text.contains("of an arena of 8192 bytes"),
                "{what}"
            );
            assert!(recorded.stats.payload_bytes <= ARENA, "{what}");
            let whole = recorded.payloads.records.iter().filter(|(lane, record)| {
                let bytes = recorded.payloads.bytes_of(*lane, record);
                let step = first.distance_to(Token::new(record.token).unwrap());
                bytes == Some(payload(step.into(), 1000))
            });
            assert_eq!(whole.count(), 3, "{what}");
            let next = bed.record_tensors(0, Some(0), |_| ());
            assert_eq!(next.verdict.outcome, Outcome::Exact, "{what}");
        }
    }
}

#[test]
fn a_truncated_tensor_is_lossy_and_one_that_hides_it_is_broken() {
    for (flag, whole, outcome, kind) in [
        (1, 5000, Outcome::Lossy, FindingKind::Truncated),
        (0, 5000, Outcome::Broken, FindingKind::Corruption),
        (1, 1000, Outcome::Broken, FindingKind::Corruption),
    ] {
        let mut bed = bed(true, 1, 1, 8192);
        let first = bed.next_tokens[0];
        let recorded = bed.record_tensors(1, Some(1), |threads| {
            let mut record = threads[0].record(0, first, 0, 3);
            record.is_truncated = flag;
            record.tensor_bytes = whole;
            threads[0].commit(record, &payload(1, 1000));
        });
        assert_eq!(recorded.verdict.outcome, outcome);
        assert_eq!(recorded.verdict.findings[0].kind, kind);
        let text = &recorded.verdict.findings[0].text;
        assert!(text.contains(&format!("1000 of {whole} bytes")), "{text}");
    }
}

#[test]
fn each_tensor_is_recorded_once_and_as_many_as_were_asked_for() {
    let mut bed = bed(true, 1, 2, 8192);
    let first = bed.next_tokens.clone();
    // Inputs of the next task may come before outputs of the last; within a stage they ascend.
    let keys = [
        (0, 0, 0, 2),
        (0, 0, 0, 5),
        (1, 0, 0, 0),
        (0, 1, 0, 2),
        (0, 0, 1, 2),
        (1, 0, 1, 7),
    ];
    let in_order = bed.record_tensors(2, Some(6), |threads| {
        for (core, step, stage, argument) in keys {
            let token = first[core as usize].advance(step);
            let record = threads[0].record(core, token, stage, argument);
            threads[0].commit(record, &[7; 64]);
        }
    });
    assert_eq!(in_order.verdict.findings, []);
    let first = bed.next_tokens.clone();
    let twice = bed.record_tensors(1, Some(4), |threads| {
        for (stage, argument) in [(0, 2), (0, 2), (7, 0)] {
            let record = threads[0].record(0, first[0], stage, argument);
            threads[0].commit(record, &[7; 64]);
        }
    });
    let kinds: Vec<FindingKind> = (twice.verdict.findings.iter())
        .map(|finding| finding.kind)
        .collect();
    let expected = [
        FindingKind::WrongIdentity,
        FindingKind::Duplicate,
        FindingKind::SilentLoss,
        FindingKind::RecordCount,
    ];
    assert_eq!(kinds, expected, "{:?}", twice.verdict.findings);
}

#[test]
fn what_a_run_that_failed_leaves_is_salvaged_and_its_room_is_given_back() {
    for is_coherent in [true, false] {
        let mut bed = bed(is_coherent, 1, 1, 8192);
        let first = bed.next_tokens[0];
        let recording = bed.start(Sink::default());
        let mut thread = TensorThread::attach(&bed, 0);
        let bytes = payload(1, 3000);
        let record = thread.record(0, first, 0, 0);
        let record = thread.commit(record, &bytes);
        // A second one was being copied when the run ended.
        let broken_off = thread.record(0, first, 0, 1);
        thread.enter(broken_off, &payload(2, 3000));
        let stopped = recording.stop(&RunEnd {
            failure: Some("it was told to".to_owned()),
            ..RunEnd::default()
        });
        assert_eq!(stopped.verdict.outcome, Outcome::Partial);
        let file = stopped.writer.unwrap().into_inner().unwrap().bytes;
        let payloads = Payloads::of(&file, bed.run_id);
        assert_eq!(payloads.records, [(0, record)]);
        assert_eq!(payloads.bytes_of(0, &record), Some(bytes));
        // All of the arena is free again.
        let next = bed.record_tensors(1, Some(1), |threads| {
            let record = threads[0].record(0, first, 1, 0);
            assert!(threads[0].has_room(8192 - 128));
            threads[0].commit(record, &payload(3, 8192 - 128));
        });
        assert_eq!(next.verdict.findings, []);
    }
}

#[test]
fn a_corrupt_tail_is_put_right_before_the_next_run() {
    for tail in [5, 1 << 63, u64::MAX] {
        let mut bed = bed(false, 1, 1, 8192);
        bed.record_tensors(0, None, |threads| threads[0].store_tail(tail));
        let first = bed.next_tokens[0];
        let next = bed.record_tensors(1, Some(1), |threads| {
            assert_eq!(threads[0].tail, 0);
            let record = threads[0].record(0, first, 1, 0);
            threads[0].commit(record, &[1; 300]);
        });
        assert_eq!(next.verdict.findings, []);
    }
}
