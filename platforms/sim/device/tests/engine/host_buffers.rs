//! Buffers that the host returns: its speed never shows, and `late-host` shows exactly.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use crate::rig::{Rig, body, invalidate, load, now_ns, relax, store, work_ns};
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{AwaitedWord, Chip};
use lanescope_sim_device::clock::grains_of_us;
use lanescope_sim_device::lanes::{HOST_PATIENCE, HostFaults};
use lanescope_sim_wire::DeviceSettings;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A thread that takes, fills and publishes `buffers` buffers of a lane of two, 10 µs each, as the
/// recorder does. Returns when it had each, in ns, and whether it waited in vain.
fn take_buffers(
    chip: Chip,
    late_host_us: Option<u64>,
    buffers: u32,
    limit_us: u64,
    host_pause: impl Fn(u32) -> Duration + Send + 'static,
) -> Vec<(u64, bool)> {
    let mut rig = Rig::new(chip);
    let free_tail = rig.line(10) + 4;
    let ready_tail = rig.line(11);
    let memory = rig.engine.memory;
    memory
        .word32(free_tail)
        .unwrap()
        .store(2, Ordering::Relaxed);
    let faults = HostFaults {
        late: late_host_us.map(grains_of_us),
        ..HostFaults::default()
    };
    rig.engine.lanes.borrow_mut().begin_launch(faults, |_| None);
    let times = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&times);
    let per_us = chip.info().ticks_per_second / 1_000_000;
    rig.threads(vec![body(move || {
        for taken in 0..buffers {
            let deadline = now_ns() / 1000 * per_us + limit_us * per_us;
            let mut have = false;
            while !have {
                let awaited = AwaitedWord {
                    address: free_tail,
                    seen: taken,
                    by: AwaitedBy::HostBuffer as u32,
                    pair_address: ready_tail,
                };
                relax("a buffer", &[], &[awaited], deadline);
                invalidate(free_tail);
                have = load(free_tail) != taken;
                if !have && now_ns() / 1000 * per_us >= deadline {
                    break;
                }
            }
            log.borrow_mut().push((now_ns(), have));
            if !have {
                break;
            }
            work_ns(10_000);
            store(ready_tail, taken + 1);
        }
    })]);
    let host = std::thread::spawn(move || {
        let word = |address| memory.word32(address).unwrap();
        let mut returned = 0;
        while returned < buffers {
            if word(ready_tail).load(Ordering::Acquire) > returned {
                std::thread::sleep(host_pause(returned));
                returned += 1;
                word(free_tail).store(2 + returned, Ordering::Release);
            } else {
                std::thread::yield_now();
            }
        }
    });
    rig.run();
    rig.assert_good();
    // The host of a waiter that gave up never sees the end; the others have to.
    if times.borrow().iter().all(|(_, have)| *have) {
        host.join().unwrap();
    }
    times.take()
}

#[test]
fn the_speed_of_the_host_does_not_show() {
    for chip in Chip::ALL {
        let fast = take_buffers(chip, None, 20, 1_000_000, |_| Duration::ZERO);
        let slow = take_buffers(chip, None, 20, 1_000_000, |i| {
            Duration::from_millis(u64::from(i % 3) * 4)
        });
        assert_eq!(fast, slow, "{chip:?}");
        assert!(fast.iter().all(|(_, have)| *have));
        for (earlier, later) in fast.iter().zip(&fast[1..]) {
            let apart = later.0 - earlier.0;
            assert!((10_000..10_100).contains(&apart), "{apart} ns apart");
        }
    }
}

#[test]
fn a_late_host_is_late_by_exactly_what_was_asked() {
    for pause_ms in [0, 3] {
        let times = take_buffers(Chip::A5, Some(50), 8, 1_000_000, move |_| {
            Duration::from_millis(pause_ms)
        });
        // Two are there; each later one comes 50 µs after one was published, 10 µs after it was
        // had. The waiter learns of it at its next poll.
        assert!(times[1].0 < 10_100, "{times:?}");
        for (had, next) in times.iter().zip(&times[2..]) {
            let after = next.0 - had.0;
            assert!(
                (60_000..60_150).contains(&after),
                "{after} ns after: {times:?}"
            );
        }
    }
}

#[test]
fn a_wait_for_a_late_host_ends_at_its_limit() {
    let times = take_buffers(Chip::A5, Some(500), 5, 100, |_| Duration::ZERO);
    assert_eq!(times.len(), 3, "{times:?}");
    let (last, have) = times[2];
    assert!(!have);
    assert!((119_000..121_500).contains(&last), "gave up at {last} ns");
}

/// How long a thread needs, in wall time, for `records` that each look once for a buffer of a host
/// that lives and returns none; and in virtual time.
fn look_in_vain(records: u32, faults: HostFaults) -> (Duration, u64) {
    let mut rig = Rig::new(Chip::A2a3);
    let (free_tail, ready_tail) = (rig.line(10) + 4, rig.line(11));
    rig.engine.lanes.borrow_mut().begin_launch(faults, |_| None);
    let end = Rc::new(RefCell::new(0));
    let log = Rc::clone(&end);
    rig.threads(vec![body(move || {
        for _ in 0..records {
            let awaited = AwaitedWord {
                address: free_tail,
                seen: 0,
                by: AwaitedBy::HostBuffer as u32,
                pair_address: ready_tail,
            };
            relax("a buffer", &[], &[awaited], 0);
            invalidate(free_tail);
            assert_eq!(load(free_tail), 0);
        }
        *log.borrow_mut() = now_ns();
    })]);
    let begin = Instant::now();
    rig.run();
    rig.assert_good();
    (begin.elapsed(), end.take())
}

#[test]
fn who_drops_waits_for_a_host_that_returns_nothing_once_and_not_for_each_record() {
    let patience = Duration::from_millis(200);
    let faults = HostFaults {
        patience,
        ..HostFaults::default()
    };
    let (wall, time) = look_in_vain(1000, faults);
    assert!(wall >= patience, "{wall:?}");
    // One patience for each record would be 200 s.
    assert!(wall < 100 * patience, "{wall:?}");
    let (_, again) = look_in_vain(1000, faults);
    assert_eq!(time, again, "the host's speed shows");
}

#[test]
fn a_host_that_is_to_return_nothing_is_not_waited_for_at_all() {
    let mut settings = DeviceSettings::default();
    settings.set("no-buffer", "all").unwrap();
    let faults = HostFaults::new(&settings);
    let mut rig = Rig::new(Chip::A2a3);
    rig.engine
        .faults
        .begin_launch(&settings, &rig.engine.memory, 0);
    let (free_tail, ready_tail) = (rig.line(10) + 4, rig.line(11));
    rig.engine.lanes.borrow_mut().begin_launch(faults, |_| None);
    let memory = rig.engine.memory;
    rig.threads(vec![body(move || {
        for _ in 0..100 {
            let awaited = AwaitedWord {
                address: free_tail,
                seen: 0,
                by: AwaitedBy::HostBuffer as u32,
                pair_address: ready_tail,
            };
            relax("a buffer", &[], &[awaited], 0);
            // The host returns one after all; the device does not get to see it.
            memory
                .word32(free_tail)
                .unwrap()
                .store(1, Ordering::Relaxed);
            invalidate(free_tail);
            assert_eq!(load(free_tail), 0);
        }
    })]);
    let begin = Instant::now();
    rig.run();
    rig.assert_good();
    assert!(begin.elapsed() < HOST_PATIENCE, "it was waited for");
}
