//! The checksum of a tensor's bytes, computed by the AICPU while it copies and by the host again.
//!
//! Four lanes of 8-byte words, so that a line takes two steps; padding to a whole line counts as zeros.

/// A checksum under way: lines go in, in order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    lanes: [u64; 4],
}

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl Checksum {
    /// Of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lanes: [
                0x243F_6A88_85A3_08D3,
                0x1319_8A2E_0370_7344,
                0xA409_3822_299F_31D0,
                0x082E_FA98_EC4E_6C89,
            ],
        }
    }

    /// Adds a line.
    #[inline]
    pub const fn line(&mut self, words: &[u64; 8]) {
        let mut word = 0;
        while word < 8 {
            let lane = &mut self.lanes[word % 4];
            let mixed = (*lane ^ words[word]).wrapping_mul(FACTOR);
            *lane = mixed ^ mixed >> 32;
            word += 1;
        }
    }

    /// Adds whole lines.
    pub fn lines(&mut self, bytes: &[u8]) {
        for line in bytes.chunks_exact(64) {
            let mut whole = [0; 64];
            whole.copy_from_slice(line);
            self.line(&zerocopy::transmute!(whole));
        }
    }

    /// Of everything that was added.
    #[must_use]
    pub const fn finish(&self) -> u64 {
        let mut sum = 0u64;
        let mut lane = 0;
        while lane < 4 {
            sum = (sum ^ self.lanes[lane]).wrapping_mul(FACTOR);
            sum ^= sum >> 32;
            lane += 1;
        }
        sum
    }

    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Self::new();
        for line in bytes.chunks(64) {
            let mut whole = [0; 64];
            whole[..line.len()].copy_from_slice(line);
            checksum.line(&zerocopy::transmute!(whole));
        }
        checksum.finish()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts_and_so_does_every_place() {
        let bytes = [7u8; 200];
        let whole = Checksum::of(&bytes);
        let mut sums = std::vec![whole];
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            sums.push(Checksum::of(&other));
        }
        let mut swapped = bytes;
        swapped[0] = 1;
        sums.push(Checksum::of(&swapped));
        swapped[0] = 7;
        swapped[8] = 1;
        sums.push(Checksum::of(&swapped));
        // Bit changes of the first and the ninth byte are among the sums already.
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), 1 + bytes.len() * 8 + 2);
    }
}
