//! The arena of a lane on the host: what is copied out of it, and the room that is given back.

use super::{Filled, Lane, Step};
use crate::arena::{PIECE_BYTES, Piece, Unpacking};
use crate::{Collector, Findings};
use std::sync::atomic::{Ordering, fence};
use zerocopy::IntoBytes;

/// A buffer whose records are copied, and its payloads, of which some are.
#[derive(Debug)]
pub(super) struct Unpacked {
    filled: Filled,
    /// Words, so that records begin at a multiple of 8.
    records: Vec<u64>,
    payloads: Unpacking,
}

impl Lane {
    /// Whether records of the lane have payloads.
    pub(crate) const fn has_arena(&self) -> bool {
        self.config.arena_bytes != 0
    }

    /// The buffer whose payloads are being copied.
    pub(crate) fn unpacking(&self) -> Option<Filled> {
        let unpacking = self.unpacking.as_ref().filter(|_| !self.is_retired);
        unpacking.map(|unpacking| unpacking.filled)
    }

    /// Copies the records of a filled buffer, for they say where their payloads are.
    pub(crate) fn begin_unpacking(
        &mut self,
        filled: Filled,
        collector: &dyn Collector,
        findings: &mut Findings,
    ) -> Step<()> {
        let bytes = self.bytes_of(&filled);
        let mut records = vec![0u64; bytes.div_ceil(size_of::<u64>())];
        self.copy(&filled, &mut records.as_mut_bytes()[..bytes])?;
        let places = records.as_bytes()[..bytes]
            .chunks_exact(self.config.record_bytes as usize)
            .filter_map(|record| collector.payload(record));
        let head = self.region.arena_head(self.index);
        let name = self.name();
        let payloads = Unpacking::new(head, self.config.arena_bytes, places, &name, findings);
        self.unpacking = Some(Unpacked {
            filled,
            records,
            payloads,
        });
        Ok(())
    }

    /// The next piece of the arena to copy; `None` when the payloads of the buffer are all copied.
    pub(crate) fn next_piece(&self) -> Option<Piece> {
        let unpacking = self.unpacking.as_ref()?;
        unpacking.payloads.next_piece(PIECE_BYTES)
    }

    /// Copies a piece of the arena, checks it and gives its room back.
    pub(crate) fn copy_piece(
        &mut self,
        piece: Piece,
        to: &mut [u8],
        findings: &mut Findings,
    ) -> Step<()> {
        self.region.copy_arena(&self.config, piece.begin, to)?;
        // What the device has gone on to is read behind the bytes that it may have gone on over.
        fence(Ordering::Acquire);
        self.region.pull_lane_device(self.index)?;
        let tail = self.region.arena_tail(self.index);
        let name = self.name();
        if let Some(unpacking) = &mut self.unpacking {
            let arena_bytes = self.config.arena_bytes;
            let payloads = &mut unpacking.payloads;
            payloads.check(piece, to, arena_bytes, tail, &name, findings);
        }
        // Room that the device says it has not taken is not the host's to give back.
        if tail.wrapping_sub(piece.begin) >= piece.bytes {
            let head = piece.begin.wrapping_add(piece.bytes);
            self.region.store_arena_head(self.index, head);
        }
        Ok(())
    }

    /// Hands out the records whose payloads are all copied.
    pub(crate) fn end_unpacking(&mut self, to: &mut [u8]) {
        if let Some(unpacking) = self.unpacking.take() {
            to.copy_from_slice(&unpacking.records.as_bytes()[..to.len()]);
        }
    }

    /// Gives back all that the device has taken of the arena, before a run: what nobody asked for in
    /// the one before stays lost. Says whether that was anything.
    pub(crate) fn give_back_arena(&mut self) -> bool {
        self.unpacking = None;
        let tail = self.region.arena_tail(self.index);
        let is_taken = self.has_arena() && self.region.arena_head(self.index) != tail;
        if is_taken {
            self.region.store_arena_head(self.index, tail);
        }
        is_taken
    }
}
