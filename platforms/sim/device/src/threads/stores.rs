//! Stores on their way: what an agent has stored and nobody else sees yet.
//!
//! # Ordering
//!
//! Stores to one word leave in the order they were made; all others in any order, until a store
//! barrier sends what is left. Without a seed each leaves at once.

use super::disturbance::Disturbance;
use crate::memory::{Memory, line_of};
use std::sync::atomic::Ordering;

/// Most stores on their way; a further one sends another.
const MOST: usize = 24;
/// One call in so many sees one of them arrive.
const CALLS_AN_ARRIVAL: u64 = 32;
/// One wait in so many sees all of them arrive.
const WAITS_UNTIL_ALL: u64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Half(u32),
    Whole(u64),
}

#[derive(Clone, Copy, Debug)]
struct Store {
    address: u64,
    value: Value,
}

/// The stores of one agent that are on their way.
#[derive(Debug)]
pub struct Stores {
    memory: Memory,
    waiting: Vec<Store>,
}

impl Stores {
    /// None.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self {
            memory,
            waiting: Vec::with_capacity(MOST + 8),
        }
    }

    /// Stores a 4-byte word of memory.
    #[inline]
    pub fn store32(&mut self, disturbance: &mut Disturbance, address: u64, value: u32) {
        self.store(disturbance, address, Value::Half(value));
    }

    /// Stores an 8-byte word of memory.
    #[inline]
    pub fn store64(&mut self, disturbance: &mut Disturbance, address: u64, value: u64) {
        self.store(disturbance, address, Value::Whole(value));
    }

    #[inline]
    fn store(&mut self, disturbance: &mut Disturbance, address: u64, value: Value) {
        let store = Store { address, value };
        if !disturbance.is_on() {
            return self.send(store);
        }
        self.waiting.push(store);
        if self.waiting.len() > MOST {
            self.send_one(disturbance);
        }
    }

    /// A call begins: perhaps one of them arrives.
    #[inline]
    pub fn at_call(&mut self, disturbance: &mut Disturbance) {
        if !self.waiting.is_empty() && disturbance.happens(CALLS_AN_ARRIVAL) {
            self.send_one(disturbance);
        }
    }

    /// The agent waits: sooner or later everything arrives, barrier or not.
    pub fn at_wait(&mut self, disturbance: &mut Disturbance) {
        if disturbance.happens(WAITS_UNTIL_ALL) {
            self.send_all(disturbance);
        }
    }

    /// Sends what is on its way to the line at `line`, for the agent itself sees its own stores.
    #[inline]
    pub fn send_line(&mut self, line: u64) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        for store in waiting {
            if line_of(store.address) == line {
                self.send(store);
            } else {
                self.waiting.push(store);
            }
        }
    }

    /// Sends all, in any order.
    pub fn send_all(&mut self, disturbance: &mut Disturbance) {
        while !self.waiting.is_empty() {
            self.send_one(disturbance);
        }
    }

    /// Sends one: the oldest to the word of any of them.
    fn send_one(&mut self, disturbance: &mut Disturbance) {
        let word = self.waiting[disturbance.index(self.waiting.len())].address & !7;
        let oldest = self
            .waiting
            .iter()
            .position(|store| store.address & !7 == word);
        let oldest = oldest.expect("the word is of one that waits");
        let store = self.waiting.remove(oldest);
        self.send(store);
    }

    /// Whoever pushed it has checked the address.
    #[inline]
    fn send(&self, store: Store) {
        match store.value {
            Value::Half(value) => {
                if let Some(word) = self.memory.word32(store.address) {
                    word.store(value, Ordering::Relaxed);
                }
            }
            Value::Whole(value) => {
                if let Some(word) = self.memory.word64(store.address) {
                    word.store(value, Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(memory: &Memory, count: u64) -> Vec<u64> {
        let word = |index| memory.word64(memory.base() + 8 * index).unwrap();
        (0..count)
            .map(|index| word(index).load(Ordering::Relaxed))
            .collect()
    }

    #[test]
    fn stores_arrive_in_many_orders_but_those_of_one_word_in_one() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 1..200 {
            let memory = Memory::anonymous(4096).unwrap();
            let base = memory.base();
            let mut disturbance = Disturbance::new(seed, &[]);
            let mut stores = Stores::new(memory);
            for index in 0..3 {
                stores.store64(&mut disturbance, base + 8 * index, 1);
            }
            stores.store32(&mut disturbance, base, 2);
            assert_eq!(words(&memory, 3), [0, 0, 0]);
            stores.send_one(&mut disturbance);
            let first = words(&memory, 3);
            assert_ne!(first[0], 2, "the second store to a word overtook the first");
            seen.insert(first);
            stores.send_all(&mut disturbance);
            assert_eq!(words(&memory, 3), [2, 1, 1]);
        }
        assert_eq!(seen.len(), 3, "{seen:?}");
    }

    #[test]
    fn without_a_seed_nothing_waits_and_a_line_can_be_sent_alone() {
        let memory = Memory::anonymous(4096).unwrap();
        let base = memory.base();
        let mut stores = Stores::new(memory);
        stores.store64(&mut Disturbance::new(0, &[]), base, 5);
        assert_eq!(words(&memory, 1), [5]);
        let mut disturbance = Disturbance::new(3, &[]);
        stores.store64(&mut disturbance, base, 6);
        stores.store64(&mut disturbance, base + 64, 7);
        stores.send_line(base);
        assert_eq!((words(&memory, 1)[0], words(&memory, 9)[8]), (6, 0));
    }
}
