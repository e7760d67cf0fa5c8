//! What the drain thread did, for benches and tests.

/// Sums over one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainStats {
    /// Passes over the lanes.
    pub ticks: u64,
    /// Passes that found a full buffer.
    pub ticks_with_news: u64,
    /// Lanes with a full buffer, summed over the passes.
    pub lanes_with_news: u64,
    /// Buffers drained.
    pub buffers: u64,
    /// Records drained.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Bytes copied out of arenas, marks and padding included.
    pub payload_bytes: u64,
    /// Bytes copied between device and host by passes with news; 0 on a coherent mapping.
    pub copied_bytes: u64,
    /// Bytes copied by passes without news.
    pub idle_copied_bytes: u64,
    /// Times the drain thread waited for the writer thread.
    pub writer_waits: u64,
    /// Host memory held for blocks on their way to the file.
    pub host_block_bytes: u64,
}
