//! The pool: who has each buffer of a lane.

use std::collections::VecDeque;

/// Where a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BufferState {
    /// In the free queue.
    Free,
    /// Taken by the device, which writes records into it.
    Filling,
    /// In the ready queue.
    Ready,
    /// Being copied by the host.
    Draining,
    /// Kept aside until the region is released: its lane is corrupt.
    Retired,
}

/// A step that no lane can take: the device's words are corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The lane has no such buffer.
    #[error("buffer {buffer} named, the lane has {buffers}")]
    NoSuchBuffer {
        /// What was named.
        buffer: u32,
        /// How many there are.
        buffers: u32,
    },
    /// Buffers come back in the order in which they were given; this one is not the next.
    #[error("buffer {buffer} ({state:?}) came back, expected {expected:?}")]
    NotNext {
        /// What was named.
        buffer: u32,
        /// Where it is.
        state: BufferState,
        /// The one that is next.
        expected: Option<u32>,
    },
    /// The device says it has taken more buffers than it was given.
    #[error("{queued} buffers wait in the free queue, only {given} were given")]
    TakenBack {
        /// Entries of the free queue that are not taken, by the device's index.
        queued: u32,
        /// Buffers the device has.
        given: u32,
    },
}

/// The buffers of one lane. Owns their states; has no thread and touches no device memory.
///
/// The device takes buffers in the order of the free queue, fills one at a time and hands them back
/// in that same order. So the pool knows which buffer must come next.
#[derive(Clone, Debug)]
pub struct Pool {
    states: Vec<BufferState>,
    /// Free and filling buffers, in the order in which they were given.
    given: VecDeque<u32>,
    /// How many of `given`, counted from its front, are filling.
    filling: usize,
}

impl Pool {
    /// All buffers free, given in order of their index.
    #[must_use]
    pub fn new(buffers: u32) -> Self {
        Self {
            states: (0..buffers).map(|_| BufferState::Free).collect(),
            given: (0..buffers).collect(),
            filling: 0,
        }
    }

    /// Learns that all but `queued` of the buffers given to the device have been taken.
    ///
    /// # Errors
    ///
    /// [`PoolError::TakenBack`].
    pub fn taken(&mut self, queued: u32) -> Result<(), PoolError> {
        let given = self.given.len();
        let Some(filling) = usize::try_from(queued)
            .ok()
            .and_then(|queued| given.checked_sub(queued))
        else {
            return Err(PoolError::TakenBack {
                queued,
                given: count(given),
            });
        };
        while self.filling < filling {
            let buffer = self.given[self.filling];
            self.set(buffer, BufferState::Filling);
            self.filling += 1;
        }
        Ok(())
    }

    /// Whether `buffer` is the one that comes back next.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoSuchBuffer`] or [`PoolError::NotNext`].
    pub fn expect(&self, buffer: u32) -> Result<(), PoolError> {
        let state = self.state(buffer)?;
        let expected = self.given.front().copied();
        if expected == Some(buffer) {
            return Ok(());
        }
        Err(PoolError::NotNext {
            buffer,
            state,
            expected,
        })
    }

    /// A ready entry names `buffer`.
    ///
    /// # Errors
    ///
    /// As for [`Pool::expect`]; nothing has changed then.
    pub fn ready(&mut self, buffer: u32) -> Result<(), PoolError> {
        self.expect(buffer)?;
        self.given.pop_front();
        self.filling = self.filling.saturating_sub(1);
        self.set(buffer, BufferState::Ready);
        Ok(())
    }

    /// The host begins to copy a ready buffer.
    pub fn drain(&mut self, buffer: u32) {
        self.step(buffer, BufferState::Ready, BufferState::Draining);
    }

    /// The host has put a copied buffer into the free queue.
    pub fn recycle(&mut self, buffer: u32) {
        self.step(buffer, BufferState::Draining, BufferState::Free);
        self.given.push_back(buffer);
    }

    /// Keeps every buffer aside: nothing the lane says is believed any more.
    pub fn retire_all(&mut self) {
        self.states.fill(BufferState::Retired);
        self.given.clear();
        self.filling = 0;
    }

    /// The buffer that is being filled: taken, and the one that comes back next.
    #[must_use]
    pub fn filling(&self) -> Option<u32> {
        let next = self.given.front().copied();
        next.filter(|_| self.filling != 0)
    }

    /// Buffers that the device has, free or filling.
    #[must_use]
    pub fn given(&self) -> u32 {
        count(self.given.len())
    }

    /// Where a buffer is.
    ///
    /// # Errors
    ///
    /// [`PoolError::NoSuchBuffer`].
    pub fn state(&self, buffer: u32) -> Result<BufferState, PoolError> {
        usize::try_from(buffer)
            .ok()
            .and_then(|index| self.states.get(index))
            .copied()
            .ok_or(PoolError::NoSuchBuffer {
                buffer,
                buffers: count(self.states.len()),
            })
    }

    /// How many buffers are in a state.
    #[must_use]
    pub fn count(&self, state: BufferState) -> u32 {
        count(self.states.iter().filter(|&&s| s == state).count())
    }

    fn step(&mut self, buffer: u32, from: BufferState, to: BufferState) {
        assert_eq!(
            self.state(buffer),
            Ok(from),
            "a buffer goes Free, Filling, Ready, Draining, Free"
        );
        self.set(buffer, to);
    }

    fn set(&mut self, buffer: u32, state: BufferState) {
        let index = usize::try_from(buffer).expect("an index of the lane");
        self.states[index] = state;
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a lane's buffers are counted in 32 bits")
}
