//! The lines that a core has cached, and how they reach memory.

use super::disturbance::Disturbance;
use super::stores::Stores;
use crate::memory::{Memory, line_of, word_of};
use crate::view::View;

/// One access in so many evicts the line it touched.
const ACCESSES_AN_EVICTION: u64 = 32;

/// What a core sees of memory.
#[derive(Debug)]
pub struct Lines {
    memory: Memory,
    view: View,
}

impl Lines {
    /// With what the core had cached when its last program ended.
    #[must_use]
    pub fn new(memory: Memory, view: View) -> Self {
        Self { memory, view }
    }

    /// What stays cached when the core's program ends: stores that were never cleaned are lost.
    #[must_use]
    pub fn into_view(mut self) -> View {
        self.view.drop_dirty();
        self.view
    }

    /// Loads the 8-byte word around an address; `None` when there is no memory.
    #[inline]
    pub fn load(
        &mut self,
        disturbance: &mut Disturbance,
        stores: &mut Stores,
        address: u64,
    ) -> Option<u64> {
        let line = line_of(address);
        let memory = self.memory;
        let word = self.view.load(line, word_of(address), || {
            stores.send_line(line);
            memory.read_line(line)
        });
        self.perhaps_evict(disturbance, stores, line);
        word
    }

    /// Changes the 8-byte word around an address in the copy only; `None` when there is no memory.
    #[inline]
    pub fn store(
        &mut self,
        disturbance: &mut Disturbance,
        stores: &mut Stores,
        address: u64,
        change: impl FnOnce(u64) -> u64,
    ) -> Option<()> {
        let line = line_of(address);
        let memory = self.memory;
        self.view.store_dirty(line, word_of(address), change, || {
            stores.send_line(line);
            memory.read_line(line)
        })?;
        self.perhaps_evict(disturbance, stores, line);
        Some(())
    }

    /// Writes a line back. Its words are on their way until a store barrier.
    pub fn clean(&mut self, disturbance: &mut Disturbance, stores: &mut Stores, address: u64) {
        let line = line_of(address);
        let Some(words) = self.view.clean(line) else {
            return;
        };
        for (address, word) in (line..).step_by(8).zip(words) {
            stores.store64(disturbance, address, word);
        }
    }

    /// Forgets a line.
    pub fn invalidate(&mut self, address: u64) {
        self.view.invalidate(line_of(address));
    }

    /// A cache may need the room at any time.
    #[inline]
    fn perhaps_evict(&mut self, disturbance: &mut Disturbance, stores: &mut Stores, line: u64) {
        if disturbance.happens(ACCESSES_AN_EVICTION) {
            self.clean(disturbance, stores, line);
            self.invalidate(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    /// What memory and the core hold after a store, a clean and a barrier.
    #[test]
    fn a_store_reaches_memory_after_clean_and_barrier() {
        for seed in 0..100 {
            let memory = Memory::anonymous(4096).unwrap();
            let address = memory.base() + 72;
            let in_memory = || memory.word64(address).unwrap().load(Ordering::Relaxed);
            let mut disturbance = Disturbance::new(seed, &[]);
            let mut stores = Stores::new(memory);
            let mut lines = Lines::new(memory, View::default());
            for value in 1..20u64 {
                let stored = lines.store(&mut disturbance, &mut stores, address, |_| value);
                assert_eq!(stored, Some(()));
                let seen = lines.load(&mut disturbance, &mut stores, address);
                assert_eq!(seen, Some(value), "seed {seed}: its own store");
                if seed == 0 {
                    assert_eq!(in_memory(), value - 1);
                }
                lines.clean(&mut disturbance, &mut stores, address);
                stores.send_all(&mut disturbance);
                assert_eq!(in_memory(), value, "seed {seed}");
            }
            assert_eq!(lines.load(&mut disturbance, &mut stores, 8), None);
        }
    }

    #[test]
    fn a_copy_is_stale_until_it_is_invalidated() {
        let memory = Memory::anonymous(4096).unwrap();
        let address = memory.base();
        let mut quiet = Disturbance::new(0, &[]);
        let mut stores = Stores::new(memory);
        let mut lines = Lines::new(memory, View::default());
        assert_eq!(lines.load(&mut quiet, &mut stores, address), Some(0));
        memory.word64(address).unwrap().store(4, Ordering::Relaxed);
        assert_eq!(lines.load(&mut quiet, &mut stores, address), Some(0));
        lines.invalidate(address);
        assert_eq!(lines.load(&mut quiet, &mut stores, address), Some(4));
    }
}
