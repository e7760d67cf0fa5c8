//! A ring behaves as a `VecDeque`, from any starting index, also across the wrap of the indices.

use lanescope_abi::ReadyEntry;
use lanescope_ring::{Consumer, HeapRing, Producer, RingError, RingMem};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;

const CAPACITY: u32 = 8;
type Ring<E> = HeapRing<E, { CAPACITY as usize }>;

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    PushBatch(Vec<u32>),
    Pop,
    PopBatch(usize),
    PeekAndRelease(u32),
    Reattach,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u32>().prop_map(Step::Push),
        prop::collection::vec(any::<u32>(), 0..12).prop_map(Step::PushBatch),
        Just(Step::Pop),
        (0usize..12).prop_map(Step::PopBatch),
        (0u32..12).prop_map(Step::PeekAndRelease),
        Just(Step::Reattach),
    ]
}

lanescope_stress::properties! {
    256 cases;

    #[test]
    fn a_ring_is_a_queue_of_bounded_length(
        start in prop_oneof![Just(0), Just(u32::MAX), Just(u32::MAX - 5), any::<u32>()],
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let ring = Ring::<u32>::starting_at(start);
        let mut producer = Producer::attach(&ring, CAPACITY).unwrap();
        let mut consumer = Consumer::attach(&ring, CAPACITY).unwrap();
        let mut model = VecDeque::new();
        let room = |model: &VecDeque<u32>| CAPACITY as usize - model.len();
        let full = Err(RingError::Full { capacity: CAPACITY });
        for step in steps {
            match step {
                Step::Push(entry) => {
                    let fits = room(&model) > 0;
                    prop_assert_eq!(producer.push(entry), if fits { Ok(()) } else { full });
                    if fits {
                        model.push_back(entry);
                    }
                }
                Step::PushBatch(entries) => {
                    let fits = entries.len() <= room(&model);
                    let pushed = producer.push_batch(&entries);
                    prop_assert_eq!(pushed, if fits { Ok(()) } else { full });
                    if fits {
                        model.extend(entries);
                    }
                }
                Step::Pop => prop_assert_eq!(consumer.pop(), Ok(model.pop_front())),
                Step::PopBatch(count) => {
                    let mut entries = vec![0; count];
                    let popped = consumer.pop_batch(&mut entries).unwrap();
                    prop_assert_eq!(popped, count.min(model.len()));
                    let expected: Vec<u32> = model.drain(..popped).collect();
                    prop_assert_eq!(&entries[..popped], expected);
                }
                Step::PeekAndRelease(count) => {
                    let available = consumer.refresh().unwrap();
                    prop_assert_eq!(available as usize, model.len());
                    for offset in 0..CAPACITY + 1 {
                        let expected = model.get(offset as usize).copied();
                        prop_assert_eq!(consumer.peek(offset), Ok(expected));
                    }
                    consumer.release(count).unwrap();
                    model.drain(..(count as usize).min(model.len()));
                }
                Step::Reattach => {
                    producer = Producer::attach(&ring, CAPACITY).unwrap();
                    consumer = Consumer::attach(&ring, CAPACITY).unwrap();
                }
            }
            prop_assert_eq!(producer.refresh(), Ok(CAPACITY - u32::try_from(model.len()).unwrap()));
        }
    }

    #[test]
    fn an_index_from_the_other_side_never_moves_this_side_outside(
        start in any::<u32>(),
        written in 0u32..=CAPACITY,
        hostile in any::<u32>(),
    ) {
        let ring = Ring::<u32>::starting_at(start);
        let mut producer = Producer::attach(&ring, CAPACITY).unwrap();
        let mut consumer = Consumer::attach(&ring, CAPACITY).unwrap();
        for entry in 0..written {
            producer.push(entry).unwrap();
        }
        consumer.refresh().unwrap();
        let tail = start.wrapping_add(written);

        (&ring).store_tail(hostile).unwrap();
        let distance = hostile.wrapping_sub(start);
        if distance < written || distance > CAPACITY {
            let corrupt = RingError::CorruptIndex { head: start, tail: hostile, capacity: CAPACITY };
            prop_assert_eq!(consumer.refresh(), Err(corrupt));
            prop_assert_eq!(consumer.available(), written);
        } else {
            prop_assert_eq!(consumer.refresh(), Ok(distance));
        }

        (&ring).store_head(hostile).unwrap();
        if tail.wrapping_sub(hostile) > written {
            let corrupt = RingError::CorruptIndex { head: hostile, tail, capacity: CAPACITY };
            prop_assert_eq!(producer.refresh(), Err(corrupt));
            prop_assert_eq!(producer.room(), CAPACITY - written);
        } else {
            prop_assert!(producer.refresh().is_ok());
        }
    }
}

#[test]
fn a_ready_entry_comes_out_as_it_went_in() {
    let ring = Ring::<ReadyEntry>::default();
    let entry = ReadyEntry {
        buffer: u32::MAX,
        count: 0x8000_0001,
        sequence: u64::MAX - 1,
    };
    Producer::attach(&ring, CAPACITY)
        .unwrap()
        .push(entry)
        .unwrap();
    let mut consumer = Consumer::attach(&ring, CAPACITY).unwrap();
    assert_eq!(consumer.pop(), Ok(Some(entry)));
}

#[test]
fn a_capacity_that_is_no_power_of_two_is_refused() {
    let ring = Ring::<u32>::default();
    for capacity in [0, 3, 6, u32::MAX] {
        let refused = Producer::attach(&ring, capacity).err();
        assert_eq!(refused, Some(RingError::Capacity { capacity }));
        let refused = Consumer::attach(&ring, capacity).err();
        assert_eq!(refused, Some(RingError::Capacity { capacity }));
    }
}

#[test]
fn indices_that_cannot_be_are_refused_on_attach() {
    let ring = Ring::<u32>::default();
    (&ring).store_tail(CAPACITY + 1).unwrap();
    let corrupt = RingError::CorruptIndex {
        head: 0,
        tail: CAPACITY + 1,
        capacity: CAPACITY,
    };
    assert_eq!(Producer::attach(&ring, CAPACITY).err(), Some(corrupt));
    assert_eq!(Consumer::attach(&ring, CAPACITY).err(), Some(corrupt));
}

/// Counts what a mapping that is not coherent would copy, and fails when told to.
#[derive(Debug, Default)]
struct Copied {
    ring: Ring<u32>,
    fetched: Cell<u32>,
    published: Cell<u32>,
    copies: Cell<u32>,
    fails: Cell<bool>,
}

#[derive(Debug, PartialEq, Eq)]
struct CopyFailed;

fn lift<T>(result: Result<T, Infallible>) -> Result<T, CopyFailed> {
    result.map_err(|never| match never {})
}

impl Copied {
    fn copy(&self, counter: &Cell<u32>, count: u32) -> Result<(), CopyFailed> {
        if self.fails.get() {
            return Err(CopyFailed);
        }
        counter.set(counter.get() + count);
        self.copies.set(self.copies.get() + 1);
        Ok(())
    }
}

impl RingMem for &Copied {
    type Entry = u32;
    type Error = CopyFailed;

    fn load_head(&self) -> Result<u32, CopyFailed> {
        lift((&self.ring).load_head())
    }

    fn load_tail(&self) -> Result<u32, CopyFailed> {
        lift((&self.ring).load_tail())
    }

    fn store_head(&self, head: u32) -> Result<(), CopyFailed> {
        lift((&self.ring).store_head(head))
    }

    fn store_tail(&self, tail: u32) -> Result<(), CopyFailed> {
        lift((&self.ring).store_tail(tail))
    }

    fn read(&self, slot: u32) -> Result<u32, CopyFailed> {
        lift((&self.ring).read(slot))
    }

    fn write(&self, slot: u32, entry: u32) -> Result<(), CopyFailed> {
        lift((&self.ring).write(slot, entry))
    }

    fn fetch(&self, slot: u32, count: u32) -> Result<(), CopyFailed> {
        assert!(slot + count <= CAPACITY);
        self.copy(&self.fetched, count)
    }

    fn publish(&self, slot: u32, count: u32) -> Result<(), CopyFailed> {
        assert!(slot + count <= CAPACITY);
        self.copy(&self.published, count)
    }
}

#[test]
fn each_entry_is_copied_once_in_at_most_two_runs_and_a_failed_copy_changes_nothing() {
    let memory = Copied::default();
    let mut producer = Producer::attach(&memory, CAPACITY).unwrap();
    let mut consumer = Consumer::attach(&memory, CAPACITY).unwrap();
    let mut entries = [0; 6];
    for round in 1..=4 {
        producer.push_batch(&[round; 6]).unwrap();
        assert_eq!(consumer.pop_batch(&mut entries), Ok(6));
        assert_eq!(entries, [round; 6]);
        assert_eq!(
            (memory.published.get(), memory.fetched.get()),
            (6 * round, 6 * round)
        );
    }
    assert_eq!(
        memory.copies.get(),
        8 + 2 * 2,
        "two of the four batches wrap around"
    );

    memory.fails.set(true);
    assert_eq!(producer.push(9), Err(RingError::Memory(CopyFailed)));
    memory.fails.set(false);
    assert_eq!(consumer.refresh(), Ok(0), "the tail was not published");
    producer.push(10).unwrap();
    memory.fails.set(true);
    assert_eq!(consumer.refresh(), Err(RingError::Memory(CopyFailed)));
    memory.fails.set(false);
    assert_eq!(consumer.pop(), Ok(Some(10)));
}
