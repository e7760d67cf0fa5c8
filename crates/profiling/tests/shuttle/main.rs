//! Session, drain, writer and device threads in orders that a model checker chooses: no record and no
//! buffer is lost or doubled, and every thread comes to its end.
//!
//! Run with `RUSTFLAGS="--cfg shuttle" cargo test -p lanescope-profiling --test shuttle`. Under
//! `cfg(shuttle)` the threads, locks and channels of the crate are the model checker's, and each access
//! of the device to a shared word, each word of a copy and each write of the file is a moment at which
//! another thread may go on. Memory is sequentially consistent here; weak orders are loom's matter.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod model;
#[path = "../support/mod.rs"]
mod support;

use lanescope_abi::capture::Policy;
use lanescope_capture::{CaptureWriter, FindingKind, Outcome};
use lanescope_profiling::{ProfilingError, RunEnd};
use model::{Work, bed, explore, flip, kinds, records_of, tokens_of, try_start, up_to};
use shuttle::thread;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use support::{Bed, Sink, step};

/// A run on a sound device accounts for every record, and leaves every buffer where it belongs.
fn assert_next_run_is_sound(bed: &mut Bed) {
    bed.device.behaviour.revive();
    let recording = bed.start(Sink::default());
    let mut work = Work::begin(bed, true);
    let placed = work.wait();
    let mut stopped = recording.stop(&work.end());
    let dropped = work.committed() - placed.iter().flatten().count() as u64;
    let expected: &[FindingKind] = if dropped == 0 {
        &[]
    } else {
        &[FindingKind::Dropped]
    };
    assert_eq!(kinds(&stopped), expected.iter().copied().collect());
    assert_eq!(stopped.verdict.totals.dropped.no_buffer, dropped);
    assert_eq!(
        tokens_of(&records_of(&mut stopped, bed.run_id), &work),
        placed
    );
    bed.assert_buffers_free();
}

#[test]
fn every_record_is_in_the_capture_or_counted_run_after_run() {
    explore(
        "every_record_is_in_the_capture_or_counted_run_after_run",
        || {
            let mut bed = bed(if flip() {
                Policy::Block
            } else {
                Policy::DropNewest
            });
            for _ in 0..2 {
                assert_next_run_is_sound(&mut bed);
            }
        },
    );
}

#[test]
fn a_run_that_breaks_off_loses_nothing_that_was_committed() {
    explore(
        "a_run_that_breaks_off_loses_nothing_that_was_committed",
        || {
            let mut bed = bed(Policy::Block);
            let recording = bed.start(Sink::default());
            let mut work = Work::begin(&mut bed, false);
            let placed = work.wait();
            let mut stopped = recording.stop(&work.end());
            assert_eq!(kinds(&stopped), HashSet::from([FindingKind::NotEnded]));
            assert_eq!(
                tokens_of(&records_of(&mut stopped, bed.run_id), &work),
                placed
            );
            bed.assert_buffers_free();
            assert_next_run_is_sound(&mut bed);
        },
    );
}

#[test]
fn a_file_that_gets_full_loses_only_what_is_said() {
    explore("a_file_that_gets_full_loses_only_what_is_said", || {
        let mut bed = bed(Policy::Block);
        let recording = try_start(&mut bed, up_to(1_000)).unwrap();
        let mut work = Work::begin(&mut bed, true);
        let placed = work.wait();
        let stopped = recording.stop(&work.end());
        let lost: u64 = (stopped.verdict.findings.iter())
            .filter(|finding| finding.kind == FindingKind::WriteFailed)
            .map(|finding| finding.count)
            .sum();
        let expected: &[FindingKind] = match stopped.write_error {
            None => &[],
            Some(_) => &[FindingKind::WriteFailed, FindingKind::SilentLoss],
        };
        assert_eq!(kinds(&stopped), expected.iter().copied().collect());
        assert_eq!(stopped.verdict.totals.collected + lost, work.committed());
        let sink = stopped.writer.unwrap().into_inner().unwrap();
        let tokens = tokens_of(&model::read(&sink, bed.run_id), &work);
        let written: u64 = tokens.iter().map(|tokens| tokens.len() as u64).sum();
        assert_eq!(written, stopped.verdict.totals.collected);
        for (tokens, placed) in tokens.iter().zip(&placed) {
            assert!(placed.starts_with(tokens));
        }
        bed.assert_buffers_free();
        assert_next_run_is_sound(&mut bed);
    });
}

/// The driver refuses one copy: before the run, in the middle of a pass, or at the end.
#[test]
fn a_copy_that_fails_costs_at_most_the_buffer_it_was_of() {
    explore(
        "a_copy_that_fails_costs_at_most_the_buffer_it_was_of",
        || {
            let mut bed = bed(Policy::DropNewest);
            bed.device.behaviour.refuse_copy_after(up_to(40));
            let recording = match try_start(&mut bed, u64::MAX) {
                Ok(recording) => recording,
                Err(ProfilingError::Platform(_)) => return assert_next_run_is_sound(&mut bed),
                Err(error) => panic!("{error}"),
            };
            let is_orderly = flip();
            let mut work = Work::begin(&mut bed, is_orderly);
            let placed = work.wait();
            let mut stopped = recording.stop(&work.end());
            let is_refused = kinds(&stopped).contains(&FindingKind::ReadFailed);
            let tokens = tokens_of(&records_of(&mut stopped, bed.run_id), &work);
            if is_orderly || !is_refused {
                assert_eq!(tokens, placed);
            }
            for (tokens, placed) in tokens.iter().zip(&placed) {
                assert!(placed.starts_with(tokens));
                assert!(
                    placed.len() <= tokens.len() + 2,
                    "more than the buffer it was of"
                );
            }
            assert!(!kinds(&stopped).contains(&FindingKind::Corruption));
            assert_next_run_is_sound(&mut bed);
        },
    );
}

#[test]
fn a_device_that_dies_at_any_moment_leaves_what_was_drained() {
    explore(
        "a_device_that_dies_at_any_moment_leaves_what_was_drained",
        || {
            let mut bed = bed(Policy::DropNewest);
            let behaviour = bed.device.behaviour.clone();
            let death = thread::spawn(move || {
                (0..up_to(60)).for_each(|_| step());
                behaviour.is_dead.store(true, Ordering::Relaxed);
            });
            if let Ok(recording) = try_start(&mut bed, u64::MAX) {
                let mut work = Work::begin(&mut bed, false);
                let placed = work.wait();
                death.join().unwrap();
                let mut stopped = recording.stop(&RunEnd {
                    failure: Some("the device process ended".to_owned()),
                    ..RunEnd::default()
                });
                assert_eq!(stopped.verdict.outcome, Outcome::Partial);
                assert!(kinds(&stopped).contains(&FindingKind::ReadFailed));
                let tokens = tokens_of(&records_of(&mut stopped, bed.run_id), &work);
                for (tokens, placed) in tokens.iter().zip(&placed) {
                    assert!(placed.starts_with(tokens));
                }
            } else {
                death.join().unwrap();
            }
            assert_next_run_is_sound(&mut bed);
        },
    );
}

/// Whether the host is told so or not, nothing is doubled, and the next run begins with every buffer.
/// Where it is told, no word of the device counts as corrupt for being newer than another.
#[test]
fn a_recording_may_be_stopped_or_dropped_while_the_device_goes_on() {
    explore(
        "a_recording_may_be_stopped_or_dropped_while_the_device_goes_on",
        || {
            let mut bed = bed(Policy::DropNewest);
            let recording = bed.start(Sink::default());
            let mut work = Work::begin(&mut bed, flip());
            (0..up_to(60)).for_each(|_| step());
            if flip() {
                let device_goes_on = flip();
                let mut stopped = recording.stop(&RunEnd {
                    device_goes_on,
                    ..RunEnd::default()
                });
                assert_eq!(stopped.verdict.outcome, Outcome::Partial);
                let tokens = tokens_of(&records_of(&mut stopped, bed.run_id), &work);
                let placed = work.wait();
                for (tokens, placed) in tokens.iter().zip(&placed) {
                    let found = placed.iter().filter(|token| tokens.contains(token));
                    assert!(found.eq(tokens), "doubled, or not in order");
                    assert!(!device_goes_on || placed.starts_with(tokens));
                }
                let moved = [FindingKind::Corruption, FindingKind::WrongIdentity];
                let is_blamed = !kinds(&stopped).is_disjoint(&HashSet::from(moved));
                assert!(!device_goes_on || !is_blamed);
            } else {
                drop(recording);
                work.wait();
            }
            assert_eq!(bed.device.behaviour.attached.load(Ordering::Relaxed), 0);
            assert_next_run_is_sound(&mut bed);
        },
    );
}

#[test]
fn of_two_that_start_at_once_each_records_or_is_told_who_does() {
    explore(
        "of_two_that_start_at_once_each_records_or_is_told_who_does",
        || {
            let mut bed = bed(Policy::Block);
            thread::scope(|scope| {
                let start = |run_id: u32| {
                    let mut session = bed.session();
                    session.run_id = run_id;
                    let profiler = &bed.profiler;
                    move || {
                        let mut writer = CaptureWriter::new(Sink::default()).unwrap();
                        writer.session(&session).unwrap();
                        match profiler.start(&session, writer) {
                            Ok(recording) => {
                                let end = support::ended(vec![0; session.core_types.len()]);
                                assert_eq!(recording.stop(&end).verdict.findings, []);
                            }
                            Err(ProfilingError::Busy { run_id }) => {
                                assert_eq!(run_id + session.run_id, 41 + 42);
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                };
                scope.spawn(start(41));
                scope.spawn(start(42));
            });
            assert_next_run_is_sound(&mut bed);
        },
    );
}
