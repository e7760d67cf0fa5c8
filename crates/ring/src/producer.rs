//! The side that writes entries.

use crate::{RingError, RingMem, runs};
use lanescope_abi::is_mutant;

/// The writing half of a ring; there is at most one for a ring at any time.
///
/// Its tail is private: it is read from memory when the producer attaches and never again.
#[derive(Debug)]
pub struct Producer<M> {
    mem: M,
    capacity: u32,
    /// Entries written so far.
    tail: u32,
    /// The consumer's index as last seen; may lag, never leads.
    head: u32,
}

impl<M: RingMem> Producer<M> {
    /// Takes the writing side of a ring where its last producer left it.
    ///
    /// # Errors
    ///
    /// [`RingError::Capacity`]; [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn attach(mem: M, capacity: u32) -> Result<Self, RingError<M::Error>> {
        if !capacity.is_power_of_two() {
            return Err(RingError::Capacity { capacity });
        }
        let tail = mem.load_tail().map_err(RingError::Memory)?;
        let head = mem.load_head().map_err(RingError::Memory)?;
        if tail.wrapping_sub(head) > capacity {
            return Err(RingError::CorruptIndex {
                head,
                tail,
                capacity,
            });
        }
        Ok(Self {
            mem,
            capacity,
            tail,
            head,
        })
    }

    /// Writes one entry and publishes it.
    ///
    /// # Errors
    ///
    /// [`RingError::Full`]; [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn push(&mut self, entry: M::Entry) -> Result<(), RingError<M::Error>> {
        self.push_batch(&[entry])
    }

    /// Writes all of `entries`, or none, and publishes them with one store of the tail.
    ///
    /// # Errors
    ///
    /// [`RingError::Full`]; [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn push_batch(&mut self, entries: &[M::Entry]) -> Result<(), RingError<M::Error>> {
        let full = RingError::Full {
            capacity: self.capacity,
        };
        let count = u32::try_from(entries.len()).map_err(|_| full)?;
        if count > self.room() && count > self.refresh()? {
            return Err(RingError::Full {
                capacity: self.capacity,
            });
        }
        if is_mutant("ring-tail-first") {
            let tail = self.tail.wrapping_add(count);
            self.mem.store_tail(tail).map_err(RingError::Memory)?;
        }
        let mut index = self.tail;
        for &entry in entries {
            self.mem
                .write(index & (self.capacity - 1), entry)
                .map_err(RingError::Memory)?;
            index = index.wrapping_add(1);
        }
        for (slot, count) in runs(self.tail, count, self.capacity) {
            if count != 0 {
                self.mem.publish(slot, count).map_err(RingError::Memory)?;
            }
        }
        self.mem.store_tail(index).map_err(RingError::Memory)?;
        self.tail = index;
        Ok(())
    }

    /// Entries that fit, as far as the consumer was last seen.
    #[must_use]
    pub fn room(&self) -> u32 {
        self.capacity - self.tail.wrapping_sub(self.head)
    }

    /// Looks at the consumer's index and returns how many entries fit now.
    ///
    /// # Errors
    ///
    /// [`RingError::CorruptIndex`] when it left the ring or went back; [`RingError::Memory`].
    pub fn refresh(&mut self) -> Result<u32, RingError<M::Error>> {
        let head = self.mem.load_head().map_err(RingError::Memory)?;
        // The consumer can only make the ring emptier.
        if self.tail.wrapping_sub(head) > self.tail.wrapping_sub(self.head) {
            return Err(RingError::CorruptIndex {
                head,
                tail: self.tail,
                capacity: self.capacity,
            });
        }
        self.head = head;
        Ok(self.room())
    }

    /// Entries written so far; runs free.
    #[must_use]
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// Entries the ring holds.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Where the words live.
    #[must_use]
    pub fn mem(&self) -> &M {
        &self.mem
    }
}
