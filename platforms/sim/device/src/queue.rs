//! Who is next: a tournament tree over the times of all agents.
//!
//! Each agent has one leaf. Setting a leaf costs seven comparisons, and the least key is always at
//! the root, which is what an agent compares its own clock with after every call.

use crate::clock::NEVER;
use std::cell::Cell;

/// Most agents at a time: 108 cores and 20 AICPU threads.
pub const MAX_AGENTS: usize = 128;

const RANK_BITS: u32 = MAX_AGENTS.trailing_zeros();

/// When an agent is due, with its rank as the tie-break; [`Key::NEVER`] when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// Not due at any time.
    pub const NEVER: Self = Self(u64::MAX);

    /// The key of a time; equal times go by rank, below [`MAX_AGENTS`].
    #[must_use]
    #[inline]
    pub const fn new(time: u64, rank: usize) -> Self {
        if time == NEVER {
            return Self::NEVER;
        }
        Self(time << RANK_BITS | rank as u64)
    }

    /// The time.
    #[must_use]
    #[inline]
    pub const fn time(self) -> u64 {
        if self.0 == u64::MAX {
            NEVER
        } else {
            self.0 >> RANK_BITS
        }
    }

    /// The rank.
    #[must_use]
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below MAX_AGENTS")]
    pub const fn rank(self) -> usize {
        (self.0 & (MAX_AGENTS as u64 - 1)) as usize
    }
}

/// The tree.
#[derive(Debug)]
pub struct Queue {
    nodes: [Cell<u64>; 2 * MAX_AGENTS],
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            nodes: [const { Cell::new(u64::MAX) }; 2 * MAX_AGENTS],
        }
    }
}

impl Queue {
    /// The least key, [`Key::NEVER`] when nobody is due.
    #[must_use]
    #[inline]
    pub fn least(&self) -> Key {
        Key(self.nodes[1].get())
    }

    /// Sets the key of the agent with this rank.
    #[inline]
    pub fn set(&self, rank: usize, key: Key) {
        let mut node = MAX_AGENTS | rank & (MAX_AGENTS - 1);
        let mut least = key.0;
        self.nodes[node].set(least);
        for _ in 0..RANK_BITS {
            least = least.min(self.nodes[(node ^ 1) & (2 * MAX_AGENTS - 1)].get());
            node >>= 1;
            self.nodes[node].set(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_key_is_at_the_root() {
        let queue = Queue::default();
        assert_eq!(queue.least(), Key::NEVER);
        for rank in 0..MAX_AGENTS {
            queue.set(rank, Key::new(1000 - rank as u64, rank));
            assert_eq!(queue.least().rank(), rank);
        }
        for rank in (1..MAX_AGENTS).rev() {
            queue.set(rank, Key::NEVER);
            assert_eq!(queue.least().rank(), rank - 1);
        }
        queue.set(0, Key::NEVER);
        assert_eq!(queue.least().time(), NEVER);
    }

    #[test]
    fn ties_go_by_rank() {
        let queue = Queue::default();
        queue.set(9, Key::new(5, 9));
        queue.set(3, Key::new(5, 3));
        assert_eq!(queue.least().rank(), 3);
        assert_eq!(queue.least().time(), 5);
    }
}
