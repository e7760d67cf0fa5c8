//! Random numbers from a seed.

/// Splitmix64.
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Small, enormous, a single bit, or anything.
    pub fn word(&mut self) -> u32 {
        let anything = u32::try_from(self.next() >> 32).unwrap();
        match self.below(4) {
            0 => anything % 10,
            1 => u32::MAX - anything % 3,
            2 => 1 << (anything % 32),
            _ => anything,
        }
    }
}
