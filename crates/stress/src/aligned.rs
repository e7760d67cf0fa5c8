//! Bytes at a place that readers can use.

use zerocopy::IntoBytes;

/// Bytes that begin at a multiple of 8, as a mapped file does; a `Vec<u8>` promises nothing.
#[derive(Clone, Debug)]
pub struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl Aligned {
    /// A copy of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(8)];
        words.as_mut_slice().as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            length: bytes.len(),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.words.as_slice().as_bytes()[..self.length]
    }
}
