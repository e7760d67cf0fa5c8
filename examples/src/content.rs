//! Tensor contents: the inputs of the workloads and the bytes they travel as.

/// A sequence of numbers that depends on its seed alone.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    state: u64,
}

impl Sequence {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits (SplitMix64).
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `-steps..=steps`, divided by `steps`: a number in -1..=1.
    pub(crate) fn step(&mut self, steps: u16) -> f32 {
        let count = u64::from(steps) * 2 + 1;
        let place = u16::try_from(self.bits() % count).expect("below twice a 16-bit number");
        (f32::from(place) - f32::from(steps)) / f32::from(steps)
    }

    /// A number in -1..1 with 16 significant bits.
    pub(crate) fn unit(&mut self) -> f32 {
        self.step(0x7FFF)
    }
}

/// `count` numbers of a sequence.
pub(crate) fn floats(count: usize, mut next: impl FnMut() -> f32) -> Vec<f32> {
    (0..count).map(|_| next()).collect()
}

/// The little-endian bytes of some floats.
pub(crate) fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// The floats in some little-endian bytes; bytes that make no whole float are left out.
pub(crate) fn floats_in(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
}

/// The 8-byte words in some little-endian bytes; bytes that make no whole word are left out.
pub(crate) fn words_in(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|bytes| u64::from_le_bytes(*bytes))
}

/// Bytes of one f32.
pub(crate) const FLOAT_BYTES: u64 = 4;

/// A count as an index; sizes are checked when a workload is opened.
pub(crate) fn index(count: u64) -> usize {
    usize::try_from(count).expect("sizes are checked against the memory of a device")
}
