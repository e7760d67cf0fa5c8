//! Why a ring cannot be used.

/// A failure of a ring operation; the ring's state is what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError<E> {
    /// Head and tail cannot belong to one ring: the other side wrote nonsense.
    #[error(
        "ring indices cannot be: head {head}, tail {tail}, capacity {capacity}; expected tail - head \
         in 0..=capacity and no index to run backwards"
    )]
    CorruptIndex {
        /// The consumer's index.
        head: u32,
        /// The producer's index.
        tail: u32,
        /// Entries the ring holds.
        capacity: u32,
    },
    /// There is no room; for the queues of a lane that is corruption, since they hold every buffer.
    #[error("ring of {capacity} entries is full")]
    Full {
        /// Entries the ring holds.
        capacity: u32,
    },
    /// The capacity is not a power of two in 1..=2^31.
    #[error("ring capacity {capacity} is not a power of two in 1..=2^31")]
    Capacity {
        /// What was given.
        capacity: u32,
    },
    /// The words could not be reached.
    #[error("the words of a ring could not be reached")]
    Memory(#[source] E),
}
