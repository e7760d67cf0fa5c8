//! The host blocks: what carries drained records to the writer thread and comes back empty.

use crate::writer::HostBlock;

/// Host blocks that are at hand; the others are with the writer thread.
#[derive(Debug)]
pub(crate) struct HostBlocks {
    at_hand: Vec<HostBlock>,
    made: usize,
    limit: usize,
    block_bytes: usize,
}

impl HostBlocks {
    /// Most bytes held, as long as that is two blocks.
    const MOST_BYTES: usize = 64 << 20;

    pub(crate) fn new(limit: u32, block_bytes: usize) -> Self {
        let fitting = Self::MOST_BYTES / block_bytes.max(1);
        Self {
            at_hand: Vec::new(),
            made: 0,
            limit: (limit as usize).min(fitting).max(2),
            block_bytes,
        }
    }

    /// The block that came back last, which is the likeliest to be in a cache; else a new one.
    pub(crate) fn take(&mut self) -> Option<HostBlock> {
        if let Some(block) = self.at_hand.pop() {
            return Some(block);
        }
        if self.made == self.limit {
            return None;
        }
        self.made += 1;
        Some(HostBlock::new(self.block_bytes))
    }

    pub(crate) fn put(&mut self, block: HostBlock) {
        self.at_hand.push(block);
    }

    /// Gives up blocks that cannot come back any more, and says how many they were.
    pub(crate) fn forget_absent(&mut self) -> usize {
        let absent = self.made - self.at_hand.len();
        self.made = self.at_hand.len();
        absent
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        self.made as u64 * self.block_bytes as u64
    }
}
