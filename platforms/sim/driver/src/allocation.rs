//! Which parts of device memory are allocated.

use std::collections::BTreeMap;

/// The vendor's rounding of sizes.
const SIZE_STEP: u64 = 32;
/// Alignment of every allocation.
const ALIGN: u64 = 512;
/// Alignment from one page on, so that the host can map what was allocated.
pub(crate) const PAGE: u64 = 4096;
/// Alignment above 1 MiB, where the vendor's driver takes huge pages.
const HUGE_PAGE: u64 = 2 << 20;

/// Live allocations and the gaps between them, by device address.
///
/// The lowest gap that is large enough is taken, so what is freed is soon given again: a program
/// that uses memory after freeing it finds other data there.
#[derive(Debug)]
pub(crate) struct Allocations {
    live: BTreeMap<u64, Live>,
    gaps: BTreeMap<u64, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    /// As asked for.
    bytes: u64,
    /// As taken.
    reserved: u64,
}

impl Allocations {
    /// Nothing allocated in `bytes` bytes from `address`.
    pub(crate) fn new(address: u64, bytes: u64) -> Self {
        Self {
            live: BTreeMap::new(),
            gaps: BTreeMap::from([(address, bytes)]),
        }
    }

    /// Takes `bytes` bytes, not 0; `None` when no gap is large enough.
    pub(crate) fn allocate(&mut self, bytes: u64) -> Option<u64> {
        let (align, step) = match bytes {
            0..PAGE => (ALIGN, SIZE_STEP),
            PAGE..=0x10_0000 => (PAGE, PAGE),
            _ => (HUGE_PAGE, HUGE_PAGE),
        };
        let reserved = bytes.checked_next_multiple_of(step)?;
        let (gap, gap_bytes, address) = self.gaps.iter().find_map(|(gap, gap_bytes)| {
            let address = gap.checked_next_multiple_of(align)?;
            let end = address.checked_add(reserved)?;
            (end <= gap + gap_bytes).then_some((*gap, *gap_bytes, address))
        })?;
        self.gaps.remove(&gap);
        self.add_gap(gap, address - gap);
        self.add_gap(address + reserved, gap + gap_bytes - (address + reserved));
        self.live.insert(address, Live { bytes, reserved });
        Some(address)
    }

    /// Gives back the allocation that starts at `address`; `false` when there is none.
    pub(crate) fn free(&mut self, address: u64) -> bool {
        let Some(live) = self.live.remove(&address) else {
            return false;
        };
        let mut start = address;
        let mut end = address + live.reserved;
        if let Some((gap, bytes)) = self.gaps.range(..start).next_back()
            && gap + bytes == start
        {
            start = *gap;
        }
        if let Some(bytes) = self.gaps.remove(&end) {
            end += bytes;
        }
        self.gaps.insert(start, end - start);
        true
    }

    /// Whether `bytes` bytes from `address` lie inside one live allocation.
    pub(crate) fn contain(&self, address: u64, bytes: u64) -> bool {
        let Some((start, live)) = self.live.range(..=address).next_back() else {
            return false;
        };
        let end = address.checked_add(bytes);
        end.is_some_and(|end| end <= start + live.bytes)
    }

    /// Length of the allocation that starts at `address`.
    pub(crate) fn bytes_at(&self, address: u64) -> Option<u64> {
        Some(self.live.get(&address)?.bytes)
    }

    /// Address and length of every allocation.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u64, u64)> {
        self.live
            .iter()
            .map(|(address, live)| (*address, live.bytes))
    }

    fn add_gap(&mut self, address: u64, bytes: u64) {
        if bytes > 0 {
            self.gaps.insert(address, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: u64 = 0x1000_0000_0000;

    #[test]
    fn alignment_follows_the_size() {
        let mut table = Allocations::new(BASE, 16 << 20);
        assert_eq!(table.allocate(1), Some(BASE));
        assert_eq!(table.allocate(33), Some(BASE + 512));
        assert_eq!(table.allocate(4096), Some(BASE + 4096));
        assert_eq!(table.allocate((1 << 20) + 1), Some(BASE + (2 << 20)));
        assert_eq!(
            table.allocate(64),
            Some(BASE + 1024),
            "the lowest gap is taken"
        );
        assert_eq!(table.allocate(16 << 20), None);
        assert_eq!(table.allocate(u64::MAX), None);
    }

    #[test]
    fn a_range_lies_inside_one_allocation_or_is_refused() {
        let mut table = Allocations::new(BASE, 1 << 20);
        let first = table.allocate(512).unwrap();
        let second = table.allocate(512).unwrap();
        assert_eq!(second, first + 512);
        assert!(table.contain(first, 512) && table.contain(first + 511, 1));
        assert!(!table.contain(first, 513), "reaches into the next");
        assert!(!table.contain(second + 512, 1) && !table.contain(first - 1, 1));
        assert!(!table.contain(first, u64::MAX));
        assert!(table.free(first) && !table.free(first) && !table.free(second + 32));
        assert!(!table.contain(first, 1));
        assert_eq!(table.live().collect::<Vec<_>>(), [(second, 512)]);
    }

    lanescope_stress::properties! {
        256 cases;

        #[test]
        fn allocations_never_overlap_and_all_memory_comes_back(
            steps in prop::collection::vec((any::<bool>(), 1u64..3_000_000, any::<prop::sample::Index>()), 1..80)
        ) {
            let mut table = Allocations::new(BASE, 32 << 20);
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (take, bytes, which) in steps {
                if take || held.is_empty() {
                    let Some(address) = table.allocate(bytes) else { continue };
                    for (other, other_bytes) in &held {
                        prop_assert!(address + bytes <= *other || other + other_bytes <= address);
                    }
                    prop_assert!(address >= BASE && address + bytes <= BASE + (32 << 20));
                    held.push((address, bytes));
                } else {
                    let (address, _) = held.swap_remove(which.index(held.len()));
                    prop_assert!(table.free(address));
                }
            }
            for (address, _) in held {
                prop_assert!(table.free(address));
            }
            prop_assert_eq!(table.allocate(32 << 20), Some(BASE));
        }
    }
}
