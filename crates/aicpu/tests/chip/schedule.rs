//! Our executor on a chip in miniature: whole runs, and every way a run can fail.

use crate::support::{Fault, HostMode, Setup, chain, independent};
use lanescope_abi::Chip;
use lanescope_abi::capture::Policy;
use lanescope_abi::control::{DeviceError, Phase};
use lanescope_abi::token::{COND_FIN, TOKEN_LAST};

#[test]
fn every_task_runs_once_and_is_recorded_on_both_chips_with_every_ring_size() {
    for chip in Chip::ALL {
        for ring_size in lanescope_abi::RING_SIZES {
            let mut setup = Setup::new(chain(7, 300));
            setup.chip = chip;
            setup.ring_size = ring_size;
            setup.issue_depth = ring_size;
            setup.run().assert_exact(&setup);
        }
    }
}

#[test]
fn several_threads_share_a_graph() {
    for threads in [2, 3, 4] {
        let mut setup = Setup::new(chain(12, 500));
        setup.threads = threads;
        setup.clusters = 4;
        setup.run().assert_exact(&setup);
    }
}

#[test]
fn tokens_go_on_across_the_wrap() {
    let mut setup = Setup::new(independent(200));
    setup.ring_size = 8;
    setup.issue_depth = 5;
    setup.first_token = TOKEN_LAST - 20;
    setup.run().assert_exact(&setup);
}

#[test]
fn level_0_touches_no_capture_region() {
    let mut setup = Setup::new(chain(3, 100));
    setup.level = 0;
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    assert!(outcome.records.is_empty());
    assert!(outcome.by_kind.is_empty());
}

#[test]
fn level_1_takes_no_time_of_the_aicpu() {
    let mut setup = Setup::new(chain(3, 100));
    setup.level = 1;
    setup.run().assert_exact(&setup);
}

#[test]
fn an_empty_graph_ends_at_once() {
    let setup = Setup::new(independent(0));
    setup.run().assert_exact(&setup);
}

/// As small as a run can be: also for an interpreter.
#[test]
fn three_tasks_on_one_cluster_are_recorded() {
    let mut setup = Setup::new(chain(1, 3));
    setup.clusters = 1;
    setup.run().assert_exact(&setup);
}

#[test]
fn a_full_buffer_is_published_at_once_and_the_rest_at_the_end() {
    let setup = Setup::new(independent(100));
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    let counts: Vec<u32> = outcome.entries[0].iter().map(|entry| entry.count).collect();
    assert_eq!(counts, [16, 16, 16, 16, 16, 16, 4]);
    assert_eq!(outcome.lanes[0].filling_buffer, u32::MAX);
    assert_eq!(outcome.lanes[0].sequence, 7);
}

#[test]
fn drop_newest_keeps_what_is_in_buffers() {
    let mut setup = Setup::new(independent(200));
    setup.lane.policy = Policy::DropNewest;
    setup.host = HostMode::Absent;
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    assert_eq!(outcome.records.len(), 4 * 16);
    assert_eq!(outcome.counters.total, 200);
    assert_eq!(outcome.counters.dropped[0], 200 - 64);
    assert_eq!(
        (outcome.lanes[0].waits, outcome.lanes[0].blocked_ticks),
        (0, 0)
    );
}

#[test]
fn block_waits_once_then_drops_without_waiting() {
    let mut setup = Setup::new(independent(200));
    setup.lane.block_limit_ticks = 5000;
    setup.host = HostMode::Absent;
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    assert_eq!(outcome.records.len(), 64);
    assert_eq!(outcome.counters.dropped[0], 200 - 64);
    assert_eq!(outcome.lanes[0].waits, 1);
    let blocked = outcome.lanes[0].blocked_ticks;
    assert!(
        (5000..6000).contains(&blocked),
        "blocked for {blocked} ticks"
    );
}

#[test]
fn block_loses_nothing_while_the_host_comes_back_in_time() {
    let mut setup = Setup::new(independent(400));
    setup.lane.buffers = 1;
    setup.host = HostMode::After(300);
    let outcome = setup.run();
    outcome.assert_exact(&setup);
    assert!(outcome.lanes[0].waits > 0);
    assert!(outcome.lanes[0].blocked_ticks > 0);
}

#[test]
fn a_lane_that_dropped_collects_again_once_a_buffer_is_free() {
    let mut setup = Setup::new(independent(400));
    setup.lane.block_limit_ticks = 100;
    setup.host = HostMode::After(200);
    let outcome = setup.run();
    assert_eq!(outcome.results, [Ok(())]);
    let collected = outcome.records.len() as u64;
    let dropped = outcome.counters.dropped[0];
    assert!(
        dropped > 0 && collected > 64,
        "{dropped} dropped, {collected} collected"
    );
    assert_eq!(outcome.counters.total, collected + dropped);
}

#[test]
fn a_slot_that_does_not_match_is_counted_and_never_recorded() {
    for fault in [Fault::Unpublished(3), Fault::Torn(3), Fault::WrongRun(3)] {
        let mut setup = Setup::new(independent(60));
        setup.faults = vec![(0, fault)];
        let outcome = setup.run();
        assert_eq!(outcome.results, [Ok(())]);
        assert_eq!(outcome.counters.mismatched, 1, "{fault:?}");
        assert_eq!(outcome.counters.total, 60);
        assert_eq!(outcome.records.len(), 59);
    }
}

#[test]
fn a_core_that_hangs_is_named_with_its_registers() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(4, Fault::Hang(3))];
    let outcome = setup.run();
    let status = outcome.first_failure();
    assert_eq!(status.error, DeviceError::SchedulerTimeout as u32);
    assert_eq!(status.phase, Phase::Running as u32);
    assert_eq!((status.core, status.token), (4, 18));
    assert_eq!(status.cond, 18, "ACK of the token that hangs");
    assert!(status.data_main_base >= 18);
    assert_eq!(status.detail, 200_000);
    // Whatever finished was recorded, and every other core left.
    assert_eq!(outcome.records.len(), outcome.ran.len());
    let left = outcome.has_left.iter().filter(|left| **left).count();
    assert_eq!(left, 5);
}

#[test]
fn a_dead_core_is_named_and_the_others_leave() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(3, Fault::Dead)];
    let outcome = setup.run();
    let status = outcome.first_failure();
    assert_eq!(status.error, DeviceError::HandshakeTimeout as u32);
    assert_eq!((status.core, status.phase), (3, Phase::Handshake as u32));
    assert_eq!(status.detail, 50_000);
    assert!(outcome.ran.is_empty());
    assert_eq!(&outcome.has_left[..3], [true; 3]);
}

#[test]
fn impossible_answers_are_refused() {
    for (fault, error) in [
        (Fault::Answer(9999), DeviceError::BadAnswer),
        (Fault::RingSize(4), DeviceError::AbiMismatch),
        (Fault::Leaves, DeviceError::CoreFailed),
    ] {
        let mut setup = Setup::new(independent(60));
        setup.faults = vec![(1, fault)];
        let outcome = setup.run();
        let status = outcome.first_failure();
        assert_eq!((status.error, status.core), (error as u32, 1), "{fault:?}");
    }
}

#[test]
fn a_cond_that_cannot_be_ends_the_run() {
    for cond in [
        0,
        5000,
        COND_FIN | 5000,
        0x7FFF_FFF5,
        COND_FIN | 0x7FFF_FFFE,
    ] {
        let mut setup = Setup::new(independent(60));
        setup.faults = vec![(2, Fault::Cond(3, cond))];
        let outcome = setup.run();
        let status = outcome.first_failure();
        let error = DeviceError::from_raw(status.error).unwrap();
        assert_eq!((error, status.core), (DeviceError::BadCond, 2), "{cond:#x}");
        assert_eq!(status.cond, cond);
    }
}

#[test]
fn a_core_that_leaves_by_itself_gives_its_own_reason() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(2, Fault::Quits(3))];
    let outcome = setup.run();
    let status = outcome.first_failure();
    assert_eq!(status.error, DeviceError::CoreFailed as u32);
    assert_eq!((status.core, status.token), (2, 18));
    assert_eq!(status.detail, u64::from(DeviceError::Internal as u32));
}

#[test]
fn when_one_thread_fails_the_others_stop() {
    // The only cube core, which one thread owns, while the others have vector cores.
    let mut setup = Setup::new(independent(200));
    setup.clusters = 1;
    setup.threads = 3;
    setup.faults = vec![(0, Fault::Cond(2, 77))];
    let outcome = setup.run();
    let mut errors: Vec<u32> = outcome.statuses.iter().map(|status| status.error).collect();
    errors.sort_unstable();
    let (bad, sibling) = (DeviceError::BadCond as u32, DeviceError::Sibling as u32);
    assert_eq!(errors, [bad, sibling, sibling]);
}

#[test]
fn the_host_can_end_a_run() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(4, Fault::Hang(3))];
    let (device, header) = setup.build();
    {
        // When the AICPU has read the word many times.
        let mut world = device.world();
        let abort = world.memory.base() + header.host.offset_bytes;
        world.host.word_at = Some((200, abort, header.run_id));
    }
    let outcome = setup.run_on(&device, &header);
    assert_eq!(outcome.first_failure().error, DeviceError::Aborted as u32);
}

#[test]
fn a_malformed_graph_is_refused() {
    let mut outside = independent(10);
    outside.tasks[0].1 = vec![10];
    let mut twice = independent(10);
    // A predecessor that the host did not count.
    twice.tasks[0].1 = vec![4];
    for graph in [outside, twice] {
        let setup = Setup::new(graph);
        let (device, header) = setup.build();
        {
            let world = device.world();
            let address = world.memory.base() + header.fan_in.at(4);
            world.memory.store32(address, 0);
        }
        let outcome = setup.run_on(&device, &header);
        assert_eq!(outcome.first_failure().error, DeviceError::BadGraph as u32);
    }
}

#[test]
fn a_free_queue_that_cannot_be_is_an_error_not_an_access() {
    for (tail, entry) in [(100, 0), (4, 99)] {
        let setup = Setup::new(independent(60));
        let (device, header) = setup.build();
        {
            let world = device.world();
            let lane = &world.host.lanes[0];
            world.memory.store32(lane.host + 4, tail);
            for slot in 0..4 {
                let address = lane.capture + lane.config.free_offset_bytes + slot * 4;
                world.memory.store32(address, entry);
            }
        }
        let outcome = setup.run_on(&device, &header);
        let error = outcome.first_failure().error;
        assert_eq!(
            error,
            DeviceError::CorruptQueue as u32,
            "tail {tail}, entry {entry}"
        );
        assert_eq!(outcome.records.len(), 0);
    }
}
