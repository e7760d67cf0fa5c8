//! Every interleaving of one producer and one consumer, by the model checker.
//!
//! Run with `cargo xtask loom`.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "functions of a test")]

use lanescope_ring::{Consumer, HeapRing, Producer, RingMem};
use lanescope_stress::explore;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::convert::Infallible;

const CAPACITY: u32 = 2;
const ENTRIES: u32 = 3;

#[test]
fn a_consumer_sees_every_entry_whole_and_in_order() {
    explore(
        "a_consumer_sees_every_entry_whole_and_in_order",
        None,
        || {
            let ring = Arc::new(HeapRing::<u32, { CAPACITY as usize }>::starting_at(
                u32::MAX,
            ));
            let shared = Arc::clone(&ring);
            let producing = thread::spawn(move || {
                let mut producer = Producer::attach(&*shared, CAPACITY).unwrap();
                produce(&mut producer);
            });
            let mut consumer = Consumer::attach(&*ring, CAPACITY).unwrap();
            consume(&mut consumer);
            producing.join().unwrap();
        },
    );
}

/// What a buffer's bytes are: written before the entry that names it, reused after the release.
#[test]
fn what_an_entry_names_is_seen_and_not_reused_before_its_release() {
    explore(
        "what_an_entry_names_is_seen_and_not_reused_before_its_release",
        None,
        || {
            let ring = Arc::new(HeapRing::<u32, 1>::starting_at(0));
            let buffer = Arc::new(AtomicU32::new(0));
            let (shared, filled) = (Arc::clone(&ring), Arc::clone(&buffer));
            let producing = thread::spawn(move || {
                let mut producer = Producer::attach(&*shared, 1).unwrap();
                for content in 1..=2 {
                    while producer.refresh().unwrap() == 0 {
                        thread::yield_now();
                    }
                    filled.store(content, Ordering::Relaxed);
                    producer.push(content).unwrap();
                }
            });
            let mut consumer = Consumer::attach(&*ring, 1).unwrap();
            for content in 1..=2 {
                while consumer.refresh().unwrap() == 0 {
                    thread::yield_now();
                }
                assert_eq!(consumer.peek(0), Ok(Some(content)));
                assert_eq!(buffer.load(Ordering::Relaxed), content);
                consumer.release(1).unwrap();
            }
            producing.join().unwrap();
        },
    );
}

/// Several entries go with one store of the tail, and come with one store of the head.
#[test]
fn batches_arrive_whole_and_in_order() {
    explore("batches_arrive_whole_and_in_order", Some(3), || {
        let ring = Arc::new(HeapRing::<u32, { CAPACITY as usize }>::starting_at(1));
        let shared = Arc::clone(&ring);
        let producing = thread::spawn(move || {
            let mut producer = Producer::attach(&*shared, CAPACITY).unwrap();
            for batch in [[1, 2], [3, 4]] {
                while producer.refresh().unwrap() < 2 {
                    thread::yield_now();
                }
                producer.push_batch(&batch).unwrap();
            }
        });
        let mut consumer = Consumer::attach(&*ring, CAPACITY).unwrap();
        let mut taken = Vec::new();
        while taken.len() < 4 {
            let mut batch = [0; 2];
            let count = consumer.pop_batch(&mut batch).unwrap();
            assert_eq!(count % 2, 0, "half a batch");
            taken.extend_from_slice(&batch[..count]);
            if count == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(taken, [1, 2, 3, 4], "a stale entry");
        producing.join().unwrap();
    });
}

/// The model must be able to fail: with a relaxed store of the tail the consumer reads a stale slot.
#[test]
#[should_panic(expected = "a stale entry")]
fn a_relaxed_tail_is_found() {
    loom::model(|| {
        let ring = Arc::new(RelaxedTail::new());
        let shared = Arc::clone(&ring);
        let producing = thread::spawn(move || {
            let mut producer = Producer::attach(&*shared, CAPACITY).unwrap();
            produce(&mut producer);
        });
        let mut consumer = Consumer::attach(&*ring, CAPACITY).unwrap();
        consume(&mut consumer);
        producing.join().unwrap();
    });
}

fn produce<M: RingMem<Entry = u32, Error = Infallible>>(producer: &mut Producer<M>) {
    for entry in 1..=ENTRIES {
        while producer.room() == 0 && producer.refresh().unwrap() == 0 {
            thread::yield_now();
        }
        producer.push(entry).unwrap();
    }
}

fn consume<M: RingMem<Entry = u32, Error = Infallible>>(consumer: &mut Consumer<M>) {
    for expected in 1..=ENTRIES {
        let entry = loop {
            match consumer.pop().unwrap() {
                Some(entry) => break entry,
                None => thread::yield_now(),
            }
        };
        assert_eq!(entry, expected, "a stale entry");
    }
}

/// A ring that publishes its tail without order.
#[derive(Debug)]
struct RelaxedTail {
    head: AtomicU32,
    tail: AtomicU32,
    entries: [AtomicU32; CAPACITY as usize],
}

impl RelaxedTail {
    fn new() -> Self {
        Self {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            entries: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl RingMem for &RelaxedTail {
    type Entry = u32;
    type Error = Infallible;

    fn load_head(&self) -> Result<u32, Infallible> {
        Ok(self.head.load(Ordering::Acquire))
    }

    fn load_tail(&self) -> Result<u32, Infallible> {
        Ok(self.tail.load(Ordering::Acquire))
    }

    fn store_head(&self, head: u32) -> Result<(), Infallible> {
        self.head.store(head, Ordering::Release);
        Ok(())
    }

    fn store_tail(&self, tail: u32) -> Result<(), Infallible> {
        self.tail.store(tail, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, slot: u32) -> Result<u32, Infallible> {
        Ok(self.entries[slot as usize].load(Ordering::Relaxed))
    }

    fn write(&self, slot: u32, entry: u32) -> Result<(), Infallible> {
        self.entries[slot as usize].store(entry, Ordering::Relaxed);
        Ok(())
    }
}
