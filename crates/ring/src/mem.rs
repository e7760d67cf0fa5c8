//! Where the words of a ring live, and what makes them visible.

/// The words of one ring as one side reaches them.
///
/// Slots are `0..capacity`; the ring never asks for another. A side calls only the methods of its
/// role: a producer `load_head`, `write`, `publish`, `store_tail`; a consumer `load_tail`, `fetch`,
/// `read`, `store_head`; each reads its own index once more, when it attaches.
///
/// # Ordering
///
/// | access | what it must guarantee |
/// |---|---|
/// | `load_head`, `load_tail` | every later access of this side happens after it (acquire) |
/// | `store_tail` | every earlier `write` is visible before the new tail (release) |
/// | `store_head` | every earlier `read`, and every read of what an entry names, is done before the new head is visible (release) |
pub trait RingMem {
    /// What the ring carries.
    type Entry: Copy;
    /// Why the words may be out of reach; `Infallible` for memory that is simply there.
    type Error;

    /// Reads the consumer's index.
    ///
    /// # Errors
    ///
    /// Whatever keeps the word out of reach.
    fn load_head(&self) -> Result<u32, Self::Error>;

    /// Reads the producer's index.
    ///
    /// # Errors
    ///
    /// Whatever keeps the word out of reach.
    fn load_tail(&self) -> Result<u32, Self::Error>;

    /// Publishes the consumer's index.
    ///
    /// # Errors
    ///
    /// Whatever keeps the word out of reach; the index is then not published.
    fn store_head(&self, head: u32) -> Result<(), Self::Error>;

    /// Publishes the producer's index.
    ///
    /// # Errors
    ///
    /// Whatever keeps the word out of reach; the index is then not published.
    fn store_tail(&self, tail: u32) -> Result<(), Self::Error>;

    /// Reads an entry that was fetched.
    ///
    /// # Errors
    ///
    /// Whatever keeps the entry out of reach.
    fn read(&self, slot: u32) -> Result<Self::Entry, Self::Error>;

    /// Writes an entry.
    ///
    /// # Errors
    ///
    /// Whatever keeps the entry out of reach.
    fn write(&self, slot: u32, entry: Self::Entry) -> Result<(), Self::Error>;

    /// Brings `count` entries from `slot` on within reach of `read`; they do not wrap around.
    /// One copy on a mapping that is not coherent, nothing on one that is.
    ///
    /// # Errors
    ///
    /// Whatever keeps the entries out of reach.
    fn fetch(&self, slot: u32, count: u32) -> Result<(), Self::Error> {
        let _ = (slot, count);
        Ok(())
    }

    /// Hands over `count` written entries from `slot` on; they do not wrap around.
    /// One copy on a mapping that is not coherent, nothing on one that is.
    ///
    /// # Errors
    ///
    /// Whatever keeps the entries out of reach.
    fn publish(&self, slot: u32, count: u32) -> Result<(), Self::Error> {
        let _ = (slot, count);
        Ok(())
    }
}
