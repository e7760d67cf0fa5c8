//! What an AICPU thread says it did: phases that fit one another and the tasks.

use crate::support::{HostMode, Setup, chain, independent};
use lanescope_abi::{Chip, PhaseKind, PhaseRecord};
use std::collections::HashMap;

fn kind(record: &PhaseRecord) -> PhaseKind {
    PhaseKind::from_raw(record.phase).expect("a phase")
}

fn tasks_in(phases: &[PhaseRecord], wanted: PhaseKind) -> u32 {
    let of_kind = phases.iter().filter(|record| kind(record) == wanted);
    of_kind.map(|record| record.tasks).sum()
}

/// Phases of each thread: numbered, in order, apart, and waits inside what had to wait.
fn check(phases: &[PhaseRecord]) {
    let mut threads: HashMap<u16, Vec<&PhaseRecord>> = HashMap::new();
    for record in phases {
        threads.entry(record.thread).or_default().push(record);
    }
    for records in threads.values() {
        let mut end_ticks = 0;
        let mut last = None;
        let mut waits: Vec<&PhaseRecord> = Vec::new();
        for (sequence, record) in (0u32..).zip(records) {
            assert_eq!(
                (record.sequence, record.run_id),
                (sequence, 7),
                "{record:?}"
            );
            assert!(record.begin_ticks <= record.end_ticks, "{record:?}");
            assert_eq!(record.task_id, u64::MAX);
            let kind = kind(record);
            if kind == PhaseKind::Blocked {
                waits.push(record);
                continue;
            }
            assert!(record.tasks > 0, "{record:?}");
            assert!(record.begin_ticks >= end_ticks, "{record:?}");
            assert!(kind != PhaseKind::Idle || last != Some(kind), "{record:?}");
            end_ticks = record.end_ticks;
            last = Some(kind);
        }
        let others = |record: &&&PhaseRecord| kind(record) != PhaseKind::Blocked;
        for record in records.iter().filter(others) {
            for wait in &waits {
                let is_apart =
                    wait.end_ticks <= record.begin_ticks || wait.begin_ticks >= record.end_ticks;
                let is_inside = wait.begin_ticks >= record.begin_ticks
                    && wait.end_ticks <= record.end_ticks
                    && wait.round == record.round;
                assert!(is_apart || is_inside, "{wait:?} and {record:?}");
            }
        }
    }
}

#[test]
fn every_task_is_completed_and_dispatched_in_a_phase() {
    for chip in Chip::ALL {
        for threads in [1, 3] {
            let mut setup = Setup::new(chain(7, 300));
            setup.chip = chip;
            setup.threads = threads;
            setup.level = 3;
            let outcome = setup.run();
            outcome.assert_exact(&setup);
            check(&outcome.phases);
            assert_eq!(tasks_in(&outcome.phases, PhaseKind::Complete), 300);
            assert_eq!(tasks_in(&outcome.phases, PhaseKind::Dispatch), 300);
            let hits: u32 = outcome.phases.iter().map(|record| record.hits).sum();
            assert_eq!(hits, 300, "looks that found a task");
            let misses: u32 = outcome.phases.iter().map(|record| record.misses).sum();
            assert!(misses > 0);
            assert!(tasks_in(&outcome.phases, PhaseKind::Idle) > 0);
        }
    }
}

#[test]
fn below_level_3_no_phase_is_told() {
    for level in 0..3 {
        let mut setup = Setup::new(chain(3, 100));
        setup.level = level;
        let outcome = setup.run();
        outcome.assert_exact(&setup);
        assert!(outcome.phases.is_empty());
    }
}

#[test]
fn a_wait_for_the_host_is_told_as_it_is_counted() {
    let mut setup = Setup::new(independent(400));
    setup.lane.buffers = 1;
    setup.host = HostMode::After(300);
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    check(&outcome.phases);
    let blocked: Vec<_> = (outcome.phases.iter())
        .filter(|record| kind(record) == PhaseKind::Blocked)
        .collect();
    let (mut waits, mut ticks) = (0, 0);
    for lane in &outcome.lanes {
        waits += lane.waits;
        ticks += lane.blocked_ticks;
    }
    assert!(waits > 0);
    assert_eq!(blocked.len() as u64, waits);
    let told: u64 = blocked
        .iter()
        .map(|record| record.end_ticks - record.begin_ticks)
        .sum();
    assert_eq!(told, ticks);
}
