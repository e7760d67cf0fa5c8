//! The side that reads entries.

use crate::{RingError, RingMem, runs};
use lanescope_abi::is_mutant;

/// The reading half of a ring; there is at most one for a ring at any time.
///
/// Its head is private: it is read from memory when the consumer attaches and never again. An entry
/// is peeked, what it names is used, and only then [`Consumer::release`] lets the producer have the
/// slot back; [`Consumer::pop`] does both for entries that name nothing.
#[derive(Debug)]
pub struct Consumer<M> {
    mem: M,
    capacity: u32,
    /// Entries given back so far.
    head: u32,
    /// The producer's index as last seen; may lag, never leads.
    tail: u32,
}

impl<M: RingMem> Consumer<M> {
    /// Takes the reading side of a ring where its last consumer left it.
    ///
    /// # Errors
    ///
    /// [`RingError::Capacity`]; [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn attach(mem: M, capacity: u32) -> Result<Self, RingError<M::Error>> {
        if !capacity.is_power_of_two() {
            return Err(RingError::Capacity { capacity });
        }
        let head = mem.load_head().map_err(RingError::Memory)?;
        let mut consumer = Self {
            mem,
            capacity,
            head,
            tail: head,
        };
        consumer.refresh()?;
        Ok(consumer)
    }

    /// Looks at the producer's index, fetches what is new, and returns how many entries there are.
    ///
    /// # Errors
    ///
    /// [`RingError::CorruptIndex`] when it left the ring or went back; [`RingError::Memory`].
    pub fn refresh(&mut self) -> Result<u32, RingError<M::Error>> {
        let tail = self.mem.load_tail().map_err(RingError::Memory)?;
        let seen = self.available();
        let available = tail.wrapping_sub(self.head);
        // The producer can only make the ring fuller, up to its capacity.
        if available > self.capacity || available < seen {
            return Err(RingError::CorruptIndex {
                head: self.head,
                tail,
                capacity: self.capacity,
            });
        }
        for (slot, count) in runs(self.tail, available - seen, self.capacity) {
            if count != 0 {
                self.mem.fetch(slot, count).map_err(RingError::Memory)?;
            }
        }
        self.tail = tail;
        Ok(available)
    }

    /// Entries there are, as far as the producer was last seen.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.tail.wrapping_sub(self.head)
    }

    /// The entry `offset` places behind the head; `None` when it was not there at the last refresh.
    ///
    /// # Errors
    ///
    /// [`RingError::Memory`].
    pub fn peek(&self, offset: u32) -> Result<Option<M::Entry>, RingError<M::Error>> {
        if offset >= self.available() {
            return Ok(None);
        }
        let slot = self.head.wrapping_add(offset) & (self.capacity - 1);
        self.mem.read(slot).map(Some).map_err(RingError::Memory)
    }

    /// Gives the first `count` entries back to the producer, with one store of the head; never more
    /// than there are.
    ///
    /// # Errors
    ///
    /// [`RingError::Memory`].
    pub fn release(&mut self, count: u32) -> Result<(), RingError<M::Error>> {
        let count = count.min(self.available());
        if count == 0 {
            return Ok(());
        }
        let head = self.head.wrapping_add(count);
        self.mem.store_head(head).map_err(RingError::Memory)?;
        self.head = head;
        Ok(())
    }

    /// Takes the next entry; looks at the producer's index only when none is left.
    ///
    /// # Errors
    ///
    /// [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn pop(&mut self) -> Result<Option<M::Entry>, RingError<M::Error>> {
        if self.available() == 0 && self.refresh()? == 0 {
            return Ok(None);
        }
        if is_mutant("ring-head-first") {
            let head = self.head.wrapping_add(1);
            self.mem.store_head(head).map_err(RingError::Memory)?;
        }
        let entry = self.peek(0)?;
        self.release(1)?;
        Ok(entry)
    }

    /// Takes entries until `to` is full or none is left, and returns how many; looks at the
    /// producer's index once and stores the head once.
    ///
    /// # Errors
    ///
    /// [`RingError::CorruptIndex`]; [`RingError::Memory`].
    pub fn pop_batch(&mut self, to: &mut [M::Entry]) -> Result<usize, RingError<M::Error>> {
        self.refresh()?;
        let mut count = 0;
        for place in to.iter_mut() {
            let Some(entry) = self.peek(count)? else {
                break;
            };
            *place = entry;
            count += 1;
        }
        self.release(count)?;
        Ok(count as usize)
    }

    /// Entries given back so far; runs free.
    #[must_use]
    pub fn head(&self) -> u32 {
        self.head
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
