//! What agents see of each other, and when: staleness, registers, waits, and one timeline a seed.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use crate::rig::{
    self, CLUSTERS, Rig, body, clean, invalidate, load, now_ns, read_reg, relax, store, ticks,
    word, work_ns, write_reg,
};
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{Checksum, Chip};
use lanescope_sim_device::table::TABLE;
use lanescope_sim_wire::HostFrame;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an AICPU thread reads of a line that a core wrote at 1 µs: before, after, and after an
/// invalidate. The core cleans the line only when `cleans` says so.
fn read_around_a_core_store(chip: Chip, cleans: bool) -> Vec<u32> {
    let mut rig = Rig::new(chip);
    let line = rig.line(3);
    rig.cores(vec![body(move || {
        work_ns(1000);
        store(line, 7);
        if cleans {
            clean(line);
        }
    })]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let reads = Rc::clone(&seen);
    rig.threads(vec![body(move || {
        reads.borrow_mut().push(load(line));
        work_ns(5000);
        reads.borrow_mut().push(load(line));
        invalidate(line);
        reads.borrow_mut().push(load(line));
    })]);
    rig.run();
    rig.assert_good();
    seen.take()
}

#[test]
fn a_core_store_is_seen_after_clean_and_invalidate_on_both_chips() {
    for chip in Chip::ALL {
        assert_eq!(read_around_a_core_store(chip, true), [0, 0, 7], "{chip:?}");
        assert_eq!(read_around_a_core_store(chip, false), [0, 0, 0], "{chip:?}");
    }
}

#[test]
fn a_host_store_needs_an_invalidate_on_a2a3_and_nothing_on_a5() {
    for (chip, expected) in [(Chip::A2a3, [0, 0, 9]), (Chip::A5, [0, 9, 9])] {
        let mut rig = Rig::new(chip);
        let line = rig.line(3);
        let host = rig.engine.memory.word32(line).unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let reads = Rc::clone(&seen);
        rig.threads(vec![body(move || {
            reads.borrow_mut().push(load(line));
            host.store(9, Ordering::Release);
            reads.borrow_mut().push(load(line));
            invalidate(line);
            reads.borrow_mut().push(load(line));
        })]);
        rig.run();
        assert_eq!(*seen.borrow(), expected, "{chip:?}");
    }
}

#[test]
fn a_core_reads_old_bytes_until_it_invalidates_also_in_its_next_launch() {
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let line = rig.line(3);
        let seen = Rc::new(RefCell::new(Vec::new()));
        for launch in 0..2u32 {
            let reads = Rc::clone(&seen);
            rig.cores(vec![body(move || {
                reads.borrow_mut().push(load(line));
                work_ns(5000);
                reads.borrow_mut().push(load(line));
                invalidate(line);
                reads.borrow_mut().push(load(line));
            })]);
            rig.threads(vec![body(move || {
                work_ns(1000);
                store(line, 10 + launch);
            })]);
            rig.run();
        }
        assert_eq!(*seen.borrow(), [0, 0, 10, 10, 10, 11], "{chip:?}");
    }
}

#[test]
fn a_line_with_two_writers_loses_one_of_them() {
    let mut rig = Rig::new(Chip::A2a3);
    let line = rig.line(3);
    let writer = move |offset: u64, value: u32| {
        body(move || {
            load(line);
            work_ns(1000);
            store(line + offset, value);
            clean(line);
        })
    };
    rig.cores(vec![writer(0, 1), writer(4, 2)]);
    rig.run();
    let memory = &rig.engine.memory;
    let now = [line, line + 4].map(|word| memory.word32(word).unwrap().load(Ordering::Relaxed));
    assert_eq!(now, [0, 2], "the last write-back brings the whole line");
}

#[test]
fn registers_arrive_late_and_in_order() {
    let mut rig = Rig::new(Chip::A5);
    let window = rig.window(CLUSTERS, 0);
    let (dispatch, cond) = (window + 0xD0, window + 0x5108);
    rig.cores(vec![body(|| {
        while read_reg(0xD0) != 16 {
            relax("token", &[0xD0], &[], u64::MAX);
        }
        write_reg(0x5108, 16);
        work_ns(300);
        write_reg(0x5108, 0x8000_0010);
    })]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let reads = Rc::clone(&seen);
    rig.threads(vec![body(move || {
        work_ns(5000);
        write_reg(dispatch, 16);
        let begin = now_ns();
        let mut last = 0;
        while last != 0x8000_0010 {
            let now = read_reg(cond);
            if now != last {
                reads.borrow_mut().push((now, now_ns() - begin));
                last = now;
            } else {
                relax("finish", &[cond], &[], u64::MAX);
            }
        }
    })]);
    rig.run();
    rig.assert_good();
    let seen = seen.borrow();
    let values: Vec<u32> = seen.iter().map(|(value, _)| *value).collect();
    assert_eq!(values, [16, 0x8000_0010], "ACK and FIN are both seen");
    // 20 ns for the store, 140 to the core, up to a poll of 15 and 10 more for the core, 10 for its
    // store, 600 back, up to a poll of 105 and 100 for the load.
    assert!(
        (860..=985).contains(&seen[0].1),
        "ACK after {} ns",
        seen[0].1
    );
    let apart = seen[1].1 - seen[0].1;
    assert!((300..=415).contains(&apart), "FIN {apart} ns after ACK");
}

#[test]
fn a_closed_fast_path_hides_the_registers() {
    let mut rig = Rig::new(Chip::A2a3);
    let window = rig.window(CLUSTERS, 0);
    rig.cores(vec![body(|| write_reg(0x4C8, 5))]);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let reads = Rc::clone(&seen);
    rig.threads(vec![body(move || {
        work_ns(5000);
        reads.borrow_mut().push(read_reg(window + 0x4C8));
        write_reg(window + 0x18, 0xE);
        reads.borrow_mut().push(read_reg(window + 0x4C8));
        write_reg(window + 0x18, 0xF);
        reads.borrow_mut().push(read_reg(window + 0x4C8));
    })]);
    rig.run();
    assert_eq!(*seen.borrow(), [0, 5, 0]);
}

/// When a thread that polls a word every `poll_ns` sees a store made at about 10 µs, and after how
/// many polls of its own.
fn wake_time(poll_ns: u64) -> (u64, u32) {
    let mut rig = Rig::new(Chip::A5);
    let line = rig.line(3);
    let result = Rc::new(Cell::new((0, 0)));
    let woken = Rc::clone(&result);
    let poller = body(move || {
        let mut polls = 0;
        loop {
            invalidate(line);
            if load(line) != 0 {
                break;
            }
            work_ns(poll_ns);
            polls += 1;
            let awaited = [word(line, 0, AwaitedBy::Device)];
            relax("a store", &[], &awaited, u64::MAX);
        }
        woken.set((now_ns(), polls));
    });
    let writer = body(move || {
        work_ns(10_000);
        store(line, 1);
        work_ns(100_000);
    });
    rig.threads(vec![poller, writer]);
    rig.run();
    rig.assert_good();
    result.get()
}

#[test]
fn a_sleeper_wakes_at_its_first_poll_after_the_change_and_skips_the_others() {
    // Invalidate 10, load 2, relax 5: a poll every 1017 ns; the last before the change at 9153.
    let (woken, polls) = wake_time(1000);
    assert_eq!(polls, 2, "one poll to learn the period, one that sleeps");
    assert!(
        (10_170..10_170 + 100).contains(&woken),
        "woken at {woken} ns"
    );
    let (woken, _) = wake_time(0);
    assert!((10_000..10_100).contains(&woken), "woken at {woken} ns");
}

#[test]
fn a_deadline_ends_a_wait_and_pure_timers_cost_no_wall_time() {
    let mut rig = Rig::new(Chip::A5);
    let line = rig.line(3);
    rig.threads(vec![body(move || {
        relax("nothing", &[], &[], 3_000_000_000);
        assert_eq!(ticks() / 100, 30_000_000);
        let awaited = [word(line, 0, AwaitedBy::Device)];
        while ticks() < 4_000_000_000 {
            relax("a store", &[], &awaited, 4_000_000_000);
        }
        assert_eq!(ticks() / 100, 40_000_000);
    })]);
    rig.run();
    rig.assert_good();
}

#[test]
fn a_wait_that_cannot_end_names_the_agent_and_what_it_waits_for() {
    let mut rig = Rig::new(Chip::A2a3);
    let line = rig.line(3);
    rig.cores(vec![body(|| {
        while read_reg(0xA0) == 0 {
            relax("token", &[0xA0], &[], u64::MAX);
        }
    })]);
    rig.threads(vec![body(move || {
        let awaited = [word(line, 0, AwaitedBy::Device)];
        while load(line) == 0 {
            relax("the answer of core 3", &[], &awaited, u64::MAX);
        }
    })]);
    rig.run();
    let (codes, notes) = rig.outcome();
    assert_eq!(codes, [(1, 507_015), (2, 507_018)]);
    assert!(
        notes[0].starts_with("AICPU thread 0 waits for the answer of core 3"),
        "{notes:?}"
    );
    assert!(
        notes[1].starts_with("AIC core 0 (physical core 0) waits for token"),
        "{notes:?}"
    );
}

#[test]
fn what_cannot_be_done_ends_the_task_and_names_the_agent() {
    type Act = fn(u64);
    let acts: [(Act, &str); 6] = [
        (|base| _ = load(base - 64), "loaded from"),
        (|base| store(base + 2, 1), "is not aligned"),
        (|_| store(0, 1), "is not device memory"),
        (|_| _ = read_reg(0x2000_0000_0004), "where there is none"),
        (
            |base| relax("x", &[base], &[], u64::MAX),
            "where there is none",
        ),
        (
            |base| relax("x", &[], &[word(base - 4, 0, AwaitedBy::Device)], u64::MAX),
            "awaited x",
        ),
    ];
    for (act, text) in acts {
        let mut rig = Rig::new(Chip::A2a3);
        let base = rig.line(0);
        rig.threads(vec![body(move || act(base)), body(|| work_ns(1_000_000))]);
        rig.run();
        let (codes, notes) = rig.outcome();
        assert_eq!(codes, [(1, 507_018)], "{text}");
        assert!(notes[0].starts_with("AICPU thread 0 "), "{notes:?}");
        assert!(notes[0].contains(text), "{notes:?}");
        // The device goes on.
        rig.threads(vec![body(|| work_ns(10))]);
        rig.run();
        assert_eq!(rig.outcome().0, [(1, 507_018), (2, 0)]);
    }
}

#[test]
fn calls_while_no_time_passes_come_to_an_end() {
    let mut rig = Rig::new(Chip::A2a3);
    rig.cores(vec![body(|| {
        loop {
            (TABLE.core_index)();
        }
    })]);
    rig.run();
    let (codes, notes) = rig.outcome();
    assert_eq!(codes, [(1, 507_015)]);
    assert!(
        notes[0].starts_with("AIC core 0 (physical core 0) made 1000000 calls"),
        "{notes:?}"
    );
}

#[test]
fn a_launch_starts_although_another_task_never_rests() {
    let mut rig = Rig::new(Chip::A2a3);
    let word = rig.line(5);
    let flag = rig.engine.memory.word32(word).unwrap();
    rig.threads(vec![body(move || {
        while flag.load(Ordering::Acquire) == 0 {
            work_ns(100);
        }
    })]);
    rig.inbox.push(HostFrame::LaunchAicpu {
        stream: 99,
        task: 1,
        so_name: String::new(),
        kernel_name: "unknown".to_owned(),
        blocks: 1,
        args: Vec::new(),
    });
    // The launch fails, for there is no such kernel, which is when the spinner is let go.
    let frames = Arc::clone(&rig.frames);
    let watcher = std::thread::spawn(move || {
        while frames.0.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        flag.store(1, Ordering::Release);
    });
    rig.run();
    watcher.join().unwrap();
    assert_eq!(rig.outcome().0, [(1, 0), (99, 507_018)]);
}

#[test]
fn a_task_that_runs_too_long_is_ended() {
    let mut rig = Rig::new(Chip::A2a3);
    let spin = body(|| {
        loop {
            ticks();
        }
    });
    let thread = lanescope_sim_device::agent::Identity::Thread { index: 0 };
    rig.start(true, vec![(thread, spin)], Some(8_000_000));
    rig.run();
    assert_eq!(rig.outcome().0, [(1, 507_017)]);
}

/// Four threads and six cores pass tokens around; returns everything they read, with its time.
fn timeline(chip: Chip, seed: u64) -> Vec<(u32, u64, u32)> {
    let mut rig = Rig::with_seed(chip, seed);
    let (data_main_base, cond) = match chip {
        Chip::A2a3 => (0xA0, 0x4C8),
        Chip::A5 => (0xD0, 0x5108),
    };
    let shared = rig.line(100);
    let log = Rc::new(RefCell::new(Vec::new()));
    let cores = (0..6u64).map(|core| {
        body(move || {
            let mut token = 0;
            while token < 50 {
                let now = read_reg(data_main_base);
                if now <= token {
                    relax("token", &[data_main_base], &[], u64::MAX);
                    continue;
                }
                token += 1;
                work_ns(300 + 50 * core);
                write_reg(cond, token);
            }
        })
    });
    rig.cores(cores.collect());
    let windows: Vec<u64> = (0..6).map(|core| rig.window(CLUSTERS, core)).collect();
    let atomic = rig.engine.memory.word32(shared).unwrap();
    let threads = (0..3usize).map(|thread| {
        let log = Rc::clone(&log);
        let windows = windows.clone();
        body(move || {
            let own = [windows[2 * thread], windows[2 * thread + 1]];
            for window in own {
                if chip == Chip::A2a3 {
                    write_reg(window + 0x18, 0xE);
                }
                write_reg(window + data_main_base, 1);
            }
            let mut done = [0; 2];
            while done != [50, 50] {
                let before = done;
                for (window, done) in own.iter().zip(&mut done) {
                    let seen = read_reg(window + cond);
                    if seen != *done {
                        *done = seen;
                        // Which thread comes first is part of the timeline.
                        let now = ticks();
                        let entry = (atomic.fetch_add(1, Ordering::Relaxed), now, seen);
                        log.borrow_mut().push(entry);
                        write_reg(window + data_main_base, seen + 1);
                    }
                }
                if done == before {
                    relax("finish", &own.map(|window| window + cond), &[], u64::MAX);
                }
            }
        })
    });
    rig.threads(threads.collect());
    rig.run();
    rig.assert_good();
    log.take()
}

#[test]
fn one_seed_is_one_timeline() {
    for chip in Chip::ALL {
        for seed in [0, 1, 2] {
            let first = timeline(chip, seed);
            assert_eq!(first.len(), 300);
            assert_eq!(first, timeline(chip, seed), "{chip:?} seed {seed}");
        }
        assert_ne!(timeline(chip, 0), timeline(chip, 1), "{chip:?}");
        assert_ne!(timeline(chip, 1), timeline(chip, 2), "{chip:?}");
    }
}

#[test]
fn times_never_run_against_the_order_of_atomics() {
    for seed in 0..20 {
        let mut log = timeline(Chip::A5, seed);
        log.sort_unstable();
        assert!(log.is_sorted_by_key(|(_, ticks, _)| *ticks), "seed {seed}");
    }
}

fn bytes_in_memory(rig: &Rig, address: u64, bytes: u64) -> Vec<u8> {
    rig.engine.memory.copy(address, bytes).unwrap()
}

#[test]
fn a_bulk_copy_needs_no_alignment_and_costs_a_nanosecond_for_four_bytes() {
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let (from, to) = (rig.line(10) + 3, rig.line(200) + 6);
        let source: Vec<u8> = (0..4099u32).map(|i| (i * 7 % 251) as u8).collect();
        rig.engine.memory.write_bytes(from, &source);
        rig.threads(vec![body(move || {
            let before = now_ns();
            rig::copy(to, from, 4099);
            let lines = 4099u64.div_ceil(64);
            assert_eq!(now_ns() - before, 16 * lines + 2);
            rig::copy(to, from, 0);
        })]);
        rig.run();
        rig.assert_good();
        assert_eq!(bytes_in_memory(&rig, to, 4099), source, "{chip:?}");
        assert_eq!(bytes_in_memory(&rig, to - 6, 6), [0; 6]);
        assert_eq!(bytes_in_memory(&rig, to + 4099, 60), [0; 60]);
    }
}

#[test]
fn a_copy_with_a_checksum_sums_what_it_copied_and_costs_a_quarter_more() {
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let (from, to) = (rig.line(10) + 3, rig.line(200));
        let source: Vec<u8> = (0..4096u32).map(|i| (i * 7 % 251) as u8).collect();
        rig.engine.memory.write_bytes(from, &source);
        let sum = Checksum::of(&source);
        rig.threads(vec![body(move || {
            let before = now_ns();
            let mut checksum = Checksum::new();
            // In two parts, as a tensor that is copied piece by piece.
            rig::copy_summed(to, from, 1024, &mut checksum);
            rig::copy_summed(to + 1024, from + 1024, 3072, &mut checksum);
            assert_eq!(now_ns() - before, 20 * 64 + 2 * 2);
            assert_eq!(checksum.finish(), sum);
        })]);
        rig.run();
        rig.assert_good();
        assert_eq!(bytes_in_memory(&rig, to, 4096), source, "{chip:?}");
        let mut rig = Rig::new(chip);
        let (from, to) = (rig.line(10), rig.line(200));
        rig.threads(vec![body(move || {
            rig::copy_summed(to, from, 100, &mut Checksum::new());
        })]);
        rig.run();
        let note = rig.outcome().1.pop().expect("that is no whole line");
        assert!(note.contains("copied 100 bytes"), "{note}");
    }
}

/// What a copy finds of a line that a core writes back after the AICPU has loaded it.
fn copy_around_a_core_store(chip: Chip, invalidates: bool) -> u8 {
    let mut rig = Rig::new(chip);
    let (line, to) = (rig.line(10), rig.line(20));
    rig.threads(vec![body(move || {
        assert_eq!(load(line), 0);
        work_ns(50_000);
        if invalidates {
            invalidate(line);
        }
        rig::copy(to, line, 64);
        // What the AICPU has cached of the target follows.
        assert_eq!(load(to), load(line));
    })]);
    rig.cores(vec![body(move || {
        work_ns(10_000);
        store(line, 9);
        clean(line);
    })]);
    rig.run();
    rig.assert_good();
    bytes_in_memory(&rig, to, 1)[0]
}

#[test]
fn a_bulk_copy_sees_what_loads_see() {
    for chip in Chip::ALL {
        assert_eq!(copy_around_a_core_store(chip, true), 9, "{chip:?}");
        assert_eq!(copy_around_a_core_store(chip, false), 0, "{chip:?}");
    }
}

#[test]
fn a_copied_line_is_stale_the_second_time_until_it_is_invalidated() {
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let (line, to) = (rig.line(10), rig.line(20));
        rig.threads(vec![body(move || {
            rig::copy(to, line, 64);
            work_ns(50_000);
            rig::copy(to + 64, line, 64);
            invalidate(line);
            rig::copy(to + 128, line, 64);
        })]);
        rig.cores(vec![body(move || {
            work_ns(10_000);
            store(line, 9);
            clean(line);
        })]);
        rig.run();
        rig.assert_good();
        let found = [0, 64, 128].map(|at| bytes_in_memory(&rig, to + at, 1)[0]);
        assert_eq!(found, [0, 0, 9], "{chip:?}");
    }
}

#[test]
fn a_copy_of_more_than_the_cache_holds_is_whole_and_forgets_its_first_lines() {
    let mut rig = Rig::new(Chip::A2a3);
    let (from, to) = (rig.line(64), rig.line(64 + 40_000));
    let source: Vec<u8> = (0..2 << 20).map(|i: u32| (i / 64 % 253) as u8).collect();
    rig.engine.memory.write_bytes(from, &source);
    let memory = rig.engine.memory;
    rig.threads(vec![body(move || {
        rig::copy(to, from, 2 << 20);
        memory.write_bytes(from, &[0xAA; 4]);
        memory.write_bytes(from + (2 << 20) - 64, &[0xAA; 4]);
        assert_eq!(load(from), 0xAAAA_AAAA, "long gone from the cache");
        assert_ne!(load(from + (2 << 20) - 64), 0xAAAA_AAAA, "still cached");
    })]);
    rig.run();
    rig.assert_good();
    assert_eq!(bytes_in_memory(&rig, to, 2 << 20), source);
}

#[test]
fn a_copy_outside_of_memory_ends_the_task() {
    let mut rig = Rig::new(Chip::A5);
    let inside = rig.line(0);
    rig.threads(vec![body(move || {
        rig::copy(inside, inside + (64 << 20) - 32, 64);
    })]);
    rig.run();
    let (_, notes) = rig.outcome();
    assert!(notes[0].contains("copied 64 bytes from 0x"), "{notes:?}");
}
