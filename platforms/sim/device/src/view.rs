//! One agent's view of shared lines: what it has cached, and what of that is its own.
//!
//! # Who writes what
//!
//! The AICPU threads share one view; each physical core has its own, which outlives launches, as
//! its cache does. A view never touches memory: the caller fills lines and writes them back.
//!
//! # Ordering
//!
//! A line with a copy is answered from the copy until it is invalidated, whatever happens to
//! memory. A dirty line is in its owner's copy only, until it is cleaned; cleaning writes the whole
//! line, so a line with two writers loses one of them, as on the chip.

use crate::memory::Line;

/// The line has a copy, which answers loads.
const COPY: u64 = 1;
/// The copy holds stores that memory does not have yet.
const DIRTY: u64 = 2;
/// The line has been loaded; it has no copy, but takes one before somebody overwrites memory.
const LOADED: u64 = 4;
const STATE: u64 = 63;

const FEWEST_SLOTS: usize = 64;
const NO_LINE: u64 = u64::MAX;
const NO_SLOT: usize = usize::MAX;

/// A table from line address to state and copy: open addressing, linear probing. An entry keeps
/// its place when its line is invalidated, for lines come back.
#[derive(Debug)]
pub struct View {
    /// Line address and state; 0 while the slot is free.
    keys: Vec<u64>,
    lines: Vec<Line>,
    used: usize,
    recent_line: u64,
    recent_slot: usize,
}

impl Default for View {
    fn default() -> Self {
        Self {
            keys: vec![0; FEWEST_SLOTS],
            lines: vec![[0; 8]; FEWEST_SLOTS],
            used: 0,
            recent_line: NO_LINE,
            recent_slot: NO_SLOT,
        }
    }
}

impl View {
    /// Word `word` of the line, from the copy; `fill` brings memory when there is none yet.
    /// `None` when `fill` has nothing.
    #[inline]
    pub fn load(
        &mut self,
        line: u64,
        word: usize,
        fill: impl FnOnce() -> Option<Line>,
    ) -> Option<u64> {
        let slot = self.copy_of(line, fill)?;
        Some(self.lines[slot][word & 7])
    }

    /// Whether the line has been loaded, and not invalidated since.
    #[must_use]
    pub fn knows(&mut self, line: u64) -> bool {
        self.find(line)
            .is_some_and(|slot| self.keys[slot] & STATE != 0)
    }

    /// The whole line, as [`Self::load`] finds it.
    pub fn load_line(&mut self, line: u64, fill: impl FnOnce() -> Option<Line>) -> Option<Line> {
        let slot = self.copy_of(line, fill)?;
        Some(self.lines[slot])
    }

    /// Changes word `word` of the line in the copy only.
    #[inline]
    pub fn store_dirty(
        &mut self,
        line: u64,
        word: usize,
        change: impl FnOnce(u64) -> u64,
        fill: impl FnOnce() -> Option<Line>,
    ) -> Option<()> {
        let slot = self.copy_of(line, fill)?;
        let target = &mut self.lines[slot][word & 7];
        *target = change(*target);
        self.keys[slot] |= DIRTY;
        Some(())
    }

    /// Follows a store that went to memory.
    #[inline]
    pub fn store_through(&mut self, line: u64, word: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(slot) = self.find(line)
            && self.keys[slot] & COPY != 0
        {
            let target = &mut self.lines[slot][word & 7];
            *target = change(*target);
        }
    }

    /// Follows a write of many words to memory, which now holds `after`.
    pub fn overwritten(&mut self, line: u64, after: impl FnOnce() -> Option<Line>) {
        if let Some(slot) = self.find(line)
            && self.keys[slot] & COPY != 0
            && let Some(after) = after()
        {
            self.lines[slot] = after;
        }
    }

    /// The line to write back, when it is dirty; it is clean from now on, and stays cached.
    #[inline]
    pub fn clean(&mut self, line: u64) -> Option<Line> {
        let slot = self.find(line)?;
        if self.keys[slot] & DIRTY == 0 {
            return None;
        }
        self.keys[slot] &= !DIRTY;
        Some(self.lines[slot])
    }

    /// Forgets the copy, own stores included.
    #[inline]
    pub fn invalidate(&mut self, line: u64) {
        if let Some(slot) = self.find(line) {
            self.keys[slot] &= !STATE;
        }
    }

    /// For a view that is coherent but for lines others write back: word `word` of the copy when
    /// the line is stale; else `None`, and the line counts as loaded.
    #[inline]
    pub fn load_coherent(&mut self, line: u64, word: usize) -> Option<u64> {
        let slot = self.find_or_insert(line);
        if self.keys[slot] & COPY != 0 {
            return Some(self.lines[slot][word & 7]);
        }
        self.keys[slot] |= LOADED;
        None
    }

    /// For the same kind of view: `before` is what memory holds until somebody else writes the
    /// line back now; a loaded line stays at that.
    #[inline]
    pub fn overtaken(&mut self, line: u64, before: impl FnOnce() -> Option<Line>) {
        if let Some(slot) = self.find(line)
            && self.keys[slot] & (LOADED | COPY) == LOADED
            && let Some(before) = before()
        {
            self.lines[slot] = before;
            self.keys[slot] |= COPY;
        }
    }

    /// Loses every line that was never cleaned: its owner's program has ended.
    pub fn drop_dirty(&mut self) {
        for key in &mut self.keys {
            if *key & DIRTY != 0 {
                *key &= !STATE;
            }
        }
    }

    /// The slot of the line, with a copy.
    #[inline]
    fn copy_of(&mut self, line: u64, fill: impl FnOnce() -> Option<Line>) -> Option<usize> {
        let slot = self.find_or_insert(line);
        if self.keys[slot] & COPY == 0 {
            self.lines[slot] = fill()?;
            self.keys[slot] |= COPY;
        }
        Some(slot)
    }

    #[inline]
    fn find(&mut self, line: u64) -> Option<usize> {
        if line != self.recent_line {
            self.recent_line = line;
            let (slot, found) = self.probe(line);
            self.recent_slot = if found { slot } else { NO_SLOT };
        }
        (self.recent_slot != NO_SLOT).then_some(self.recent_slot)
    }

    #[inline]
    fn find_or_insert(&mut self, line: u64) -> usize {
        if let Some(slot) = self.find(line) {
            return slot;
        }
        self.insert(line)
    }

    #[cold]
    fn insert(&mut self, line: u64) -> usize {
        if (self.used + 1) * 2 > self.keys.len() {
            self.rebuild();
        }
        let (slot, _) = self.probe(line);
        self.keys[slot] = line;
        self.used += 1;
        self.recent_line = line;
        self.recent_slot = slot;
        slot
    }

    /// The slot of the line and `true`, or the slot where it would go and `false`.
    #[inline]
    fn probe(&self, line: u64) -> (usize, bool) {
        let mask = self.keys.len() - 1;
        let mut slot = hash(line) & mask;
        loop {
            let key = self.keys[slot];
            if key & !STATE == line {
                return (slot, true);
            }
            if key == 0 {
                return (slot, false);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Drops the entries without state, and doubles the table when that does not make room.
    fn rebuild(&mut self) {
        let live = self.keys.iter().filter(|key| **key & STATE != 0).count();
        let mut slots = self.keys.len();
        while (live + 1) * 4 > slots {
            slots *= 2;
        }
        let keys = std::mem::replace(&mut self.keys, vec![0; slots]);
        let lines = std::mem::replace(&mut self.lines, vec![[0; 8]; slots]);
        for (key, line) in keys.into_iter().zip(lines) {
            if key & STATE != 0 {
                let (slot, _) = self.probe(key & !STATE);
                self.keys[slot] = key;
                self.lines[slot] = line;
            }
        }
        self.used = live;
        self.recent_line = NO_LINE;
    }
}

#[inline]
fn hash(line: u64) -> usize {
    ((line >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: u64 = 0x1000;

    #[test]
    fn a_copy_answers_until_it_is_invalidated() {
        let mut view = View::default();
        assert_eq!(view.load(LINE, 0, || Some([1; 8])), Some(1));
        assert_eq!(view.load(LINE, 0, || Some([2; 8])), Some(1));
        view.invalidate(LINE);
        assert_eq!(view.load(LINE, 0, || Some([2; 8])), Some(2));
    }

    #[test]
    fn own_stores_are_private_until_cleaned_and_lost_when_invalidated() {
        let mut view = View::default();
        view.store_dirty(LINE, 1, |_| 7, || Some([1; 8])).unwrap();
        assert_eq!(view.load(LINE, 1, || None), Some(7));
        assert_eq!(view.clean(LINE), Some([1, 7, 1, 1, 1, 1, 1, 1]));
        assert_eq!(view.clean(LINE), None);
        view.store_dirty(LINE, 1, |_| 8, || None).unwrap();
        view.invalidate(LINE);
        assert_eq!(view.clean(LINE), None);
        assert_eq!(view.load(LINE, 1, || Some([3; 8])), Some(3));
    }

    #[test]
    fn a_coherent_view_is_stale_only_where_others_wrote_back() {
        let mut view = View::default();
        assert_eq!(view.load_coherent(LINE, 0), None);
        view.overtaken(LINE, || Some([5; 8]));
        view.overtaken(LINE, || Some([6; 8]));
        assert_eq!(view.load_coherent(LINE, 0), Some(5));
        view.invalidate(LINE);
        assert_eq!(view.load_coherent(LINE, 0), None);
        view.overtaken(2 * LINE, || Some([9; 8]));
        assert_eq!(view.load_coherent(2 * LINE, 0), None);
    }

    #[test]
    fn many_lines_keep_their_copies() {
        let mut view = View::default();
        for i in 1..5000u64 {
            view.load(i * 64, 0, || Some([i; 8])).unwrap();
            if i % 3 == 0 {
                view.invalidate(i * 64);
            }
        }
        for i in 1..5000u64 {
            let expected = if i % 3 == 0 { 0 } else { i };
            assert_eq!(view.load(i * 64, 0, || Some([0; 8])), Some(expected));
        }
    }
}
