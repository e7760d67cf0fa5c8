//! Commit, rotation and flush against a host that drains, returns and salvages at any moment.

use crate::spawn;
use crate::support::{Graph, LanePlaces, Model, Setup};
use lanescope_abi::capture::NO_BUFFER;
use lanescope_abi::{Barrier, Device, LaneDevice, LaneHost, PhaseKind, PhaseRecord, ReadyEntry};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{Phase, RecordState, Recorder, Task};
use lanescope_ring::{Consumer, Producer, RingMem};
use lanescope_stress::explore;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::convert::Infallible;
use std::mem::offset_of;

/// A lane of `buffers` buffers of `records` records, whose thread waits for the host.
fn setup(buffers: u32, records: u32) -> Setup {
    let mut setup = Setup::new(Graph { tasks: Vec::new() });
    setup.clusters = 1;
    setup.only_cores = Some(1);
    setup.ring_size = 1;
    setup.issue_depth = 1;
    setup.level = 2;
    setup.lane.buffers = buffers;
    setup.lane.records = records;
    setup.lane.block_limit_ticks = u64::MAX;
    setup
}

/// Commits tasks 1..=`count` and, if asked, flushes. What the core does is done here as well: its
/// slot is this thread's alone.
fn commit(model: &Model, count: u32, flushes: bool) {
    let address = model.base();
    // SAFETY: the model holds both regions.
    let control = unsafe { Control::attach(model, address, model.setup.chip, 1) };
    let control = control.expect("the layout is right");
    let mut state = RecordState::<1>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the lane is there");
    for number in 1..=count {
        let task = Task {
            task_id: u64::from(number),
            ..Task::default()
        };
        let token = recorder.dispatched(0, task).expect("nothing is in flight");
        let (raw, staging) = (u64::from(token.raw()), model.lane().staging);
        let run_id = u64::from(model.header.run_id);
        // SAFETY: the slot is a line of the region.
        unsafe { model.store64(staging, run_id << 32 | raw) };
        // SAFETY: the slot is a line of the region, and 56 the offset of its last word.
        unsafe { model.store64(staging + 56, raw) };
        let finished = recorder.commit(0, 0x8000_0000 | token.raw());
        assert_eq!(finished.expect("the token is in flight").len(), 1);
        if recorder.records_phases() {
            let phase = Phase {
                kind: PhaseKind::Complete,
                begin_ticks: 1,
                end_ticks: 2,
                round: number,
                tasks: 1,
                hits: 0,
                misses: 0,
                task_id: u64::MAX,
            };
            recorder.phase(&phase).expect("the queues are sound");
        }
    }
    if flushes {
        recorder.flush().expect("the queues are sound");
    }
}

/// The host's side of a lane, from the ring that ships.
struct Host<'a> {
    model: &'a Model,
    /// Which lane: 0 is that of tasks, 1 that of phases.
    index: u32,
    lane: LanePlaces,
    ready: Consumer<Ready<'a>>,
    free: Producer<Free<'a>>,
    /// Tasks whose records were drained.
    drained: u32,
    buffers: u64,
}

impl<'a> Host<'a> {
    fn new(model: &'a Model) -> Self {
        Self::at(model, 0)
    }

    fn at(model: &'a Model, index: u32) -> Self {
        let capacity = model.setup.lane.buffers;
        let lane = model.lane_at(index);
        Self {
            model,
            index,
            lane,
            ready: Consumer::attach(Ready(model, lane), capacity).unwrap(),
            free: Producer::attach(Free(model, lane), capacity).unwrap(),
            drained: 0,
            buffers: 0,
        }
    }

    /// Takes the full buffers there are, and returns them; whether there were any.
    fn pass(&mut self) -> bool {
        let available = self.ready.refresh().expect("the device's index is sound");
        for _ in 0..available {
            let entry = self.ready.peek(0).unwrap().unwrap();
            assert_eq!(entry.sequence, self.buffers, "a stale entry");
            let records = self.model.setup.lane.records;
            assert!((1..=records).contains(&entry.count), "a stale entry");
            for place in 0..entry.count {
                self.drained += 1;
                self.check(entry.buffer, place);
            }
            self.buffers += 1;
            self.ready.release(1).unwrap();
            self.free.push(entry.buffer).expect("the device took it");
        }
        available != 0
    }

    fn check(&self, buffer: u32, place: u32) {
        if self.index == 0 {
            let record = self.model.record(buffer, place);
            let expected = (u64::from(self.drained), self.drained + 15);
            assert_eq!((record.task_id, record.token), expected, "a stale record");
        } else {
            let record: PhaseRecord = self.model.record_at(&self.lane, buffer, place);
            let expected = (self.drained - 1, self.model.header.run_id);
            assert_eq!((record.sequence, record.run_id), expected, "a stale record");
        }
    }
}

/// Device and host hand a lane's buffers to and fro until all of `count` records have arrived.
fn rotate(buffers: u32, records: u32, count: u32) {
    let model = Arc::new(Model::new(setup(buffers, records)).with_host());
    let shared = Arc::clone(&model);
    let commits = spawn(move || commit(&shared, count, true));
    // Not this thread, which has seen the first value of every word: after a yield the model shows a
    // thread nothing it has seen before.
    let shared = Arc::clone(&model);
    let drains = spawn(move || {
        let mut host = Host::new(&shared);
        while host.drained < count {
            if !host.pass() {
                thread::yield_now();
            }
        }
    });
    drains.join().unwrap();
    commits.join().unwrap();
    assert_eq!(model.counters().total, u64::from(count));
}

#[test]
fn one_buffer_goes_to_and_fro() {
    explore("one_buffer_goes_to_and_fro", Some(3), || rotate(1, 1, 2));
}

#[test]
fn two_buffers_go_to_and_fro() {
    explore("two_buffers_go_to_and_fro", Some(2), || rotate(2, 1, 3));
}

#[test]
fn a_flush_hands_over_what_is_left() {
    explore("a_flush_hands_over_what_is_left", Some(2), || {
        rotate(1, 2, 3);
    });
}

/// Lanes of two kinds of one thread, each with a buffer of one record: neither is told of the other, and
/// a wait in one is a record of the other.
#[test]
fn lanes_of_two_kinds_go_to_and_fro() {
    explore("lanes_of_two_kinds_go_to_and_fro", Some(2), || {
        let mut setup = setup(1, 1);
        setup.level = 3;
        let model = Arc::new(Model::new(setup).with_host());
        let has_ended = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(&model), Arc::clone(&has_ended));
        let commits = spawn(move || {
            commit(&shared, 2, true);
            ends.store(true, Ordering::Release);
        });
        let shared = Arc::clone(&model);
        let drains = spawn(move || {
            let mut hosts = [Host::at(&shared, 0), Host::at(&shared, 1)];
            loop {
                let is_last = has_ended.load(Ordering::Acquire);
                let news = hosts.each_mut().map(Host::pass);
                if news == [false, false] {
                    if is_last {
                        break;
                    }
                    thread::yield_now();
                }
            }
            hosts.map(|host| u64::from(host.drained))
        });
        let [tasks, phases] = drains.join().unwrap();
        commits.join().unwrap();
        assert_eq!((tasks, model.counters().total), (2, 2));
        assert_eq!(model.counters_at(1).total, phases);
        assert!(phases >= 2);
    });
}

/// The host stops when the device has ended and one more pass has found nothing.
#[test]
fn a_pass_after_the_end_finds_everything() {
    explore("a_pass_after_the_end_finds_everything", Some(2), || {
        let model = Arc::new(Model::new(setup(2, 1)).with_host());
        let has_ended = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(&model), Arc::clone(&has_ended));
        let commits = spawn(move || {
            commit(&shared, 2, true);
            ends.store(true, Ordering::Release);
        });
        let shared = Arc::clone(&model);
        let drains = spawn(move || {
            let mut host = Host::new(&shared);
            loop {
                let is_last = has_ended.load(Ordering::Acquire);
                if !host.pass() {
                    if is_last {
                        break;
                    }
                    thread::yield_now();
                }
            }
            (host.drained, shared.counters())
        });
        let (drained, counters) = drains.join().unwrap();
        commits.join().unwrap();
        assert_eq!((drained, counters.total), (2, 2));
    });
}

/// A device may die at any moment: what its line says is in the buffer it fills is there.
#[test]
fn a_count_of_records_comes_after_the_records() {
    explore(
        "a_count_of_records_comes_after_the_records",
        Some(3),
        || {
            let model = Arc::new(Model::new(setup(1, 3)).with_host());
            let shared = Arc::clone(&model);
            let commits = spawn(move || commit(&shared, 2, false));
            let salvages = spawn(move || {
                let (buffer, count) = model.filling();
                model.barrier(Barrier::Load);
                let count = if buffer == NO_BUFFER { 0 } else { count };
                for place in 0..count {
                    let record = model.record(buffer, place);
                    assert_eq!(record.task_id, u64::from(place) + 1, "a stale record");
                }
            });
            salvages.join().unwrap();
            commits.join().unwrap();
        },
    );
}

/// A device may die at any moment: a buffer is in the ready queue before the line forgets it.
#[test]
fn a_buffer_is_handed_over_before_it_is_forgotten() {
    explore(
        "a_buffer_is_handed_over_before_it_is_forgotten",
        Some(3),
        || {
            let model = Arc::new(Model::new(setup(1, 1)).with_host());
            let shared = Arc::clone(&model);
            let commits = spawn(move || commit(&shared, 1, false));
            let looks = spawn(move || {
                let line = model.lane().device;
                let load = |field| model.load_index(line, field, Ordering::Acquire);
                let sequence = load(offset_of!(LaneDevice, sequence));
                let tail = load(offset_of!(LaneDevice, ready_tail));
                assert!(tail >= sequence, "{sequence} buffers, {tail} handed over");
            });
            looks.join().unwrap();
            commits.join().unwrap();
        },
    );
}

/// The ready queue as the host reaches it.
struct Ready<'a>(&'a Model, LanePlaces);

/// The free queue as the host reaches it.
struct Free<'a>(&'a Model, LanePlaces);

impl RingMem for Ready<'_> {
    type Entry = ReadyEntry;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        let (line, field) = (self.1.host, offset_of!(LaneHost, ready_head));
        Ok(self.0.load_index(line, field, Ordering::Relaxed))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        let (line, field) = (self.1.device, offset_of!(LaneDevice, ready_tail));
        Ok(self.0.load_index(line, field, Ordering::Acquire))
    }

    fn store_head(&self, head: u32) -> Result<(), Infallible> {
        let (line, field) = (self.1.host, offset_of!(LaneHost, ready_head));
        self.0.store_index(line, field, head, Ordering::Release);
        Ok(())
    }

    fn store_tail(&self, _: u32) -> Result<(), Infallible> {
        unreachable!("the device produces ready entries")
    }

    fn read(&self, slot: u32) -> Result<ReadyEntry, Infallible> {
        let entry = self.1.ready + u64::from(slot) * 16;
        let words: [u64; 2] = [0, 8].map(|word| {
            // SAFETY: a word of a ready entry.
            unsafe { self.0.load64(entry + word) }
        });
        Ok(zerocopy::transmute!(words))
    }

    fn write(&self, _: u32, _: ReadyEntry) -> Result<(), Infallible> {
        unreachable!("the device produces ready entries")
    }
}

impl RingMem for Free<'_> {
    type Entry = u32;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        let (line, field) = (self.1.device, offset_of!(LaneDevice, free_head));
        Ok(self.0.load_index(line, field, Ordering::Acquire))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        let (line, field) = (self.1.host, offset_of!(LaneHost, free_tail));
        Ok(self.0.load_index(line, field, Ordering::Relaxed))
    }

    fn store_head(&self, _: u32) -> Result<(), Infallible> {
        unreachable!("the device consumes free buffers")
    }

    fn store_tail(&self, tail: u32) -> Result<(), Infallible> {
        let (line, field) = (self.1.host, offset_of!(LaneHost, free_tail));
        self.0.store_index(line, field, tail, Ordering::Release);
        Ok(())
    }

    fn read(&self, _: u32) -> Result<u32, Infallible> {
        unreachable!("the device consumes free buffers")
    }

    fn write(&self, slot: u32, buffer: u32) -> Result<(), Infallible> {
        let entry = self.1.free + u64::from(slot) * 4;
        // SAFETY: a free entry, which the host alone writes.
        unsafe { self.0.store32(entry, buffer) };
        Ok(())
    }
}
