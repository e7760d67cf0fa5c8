//! Lanes whose records have payloads: a buffer is drained in pieces, over several passes.

use super::{Drain, Step};
use crate::lane::Filled;
use crate::writer::{HostBlock, Outlet};

/// Most pieces of an arena that one pass copies, so that no other lane waits for long.
const PIECES_PER_PASS: u32 = 4;

impl Drain {
    /// Goes on with the payloads of a lane's next buffer: some pieces, each of which goes to the writer
    /// thread at once. When there are no more, the records and the buffer, as [`Drain::empty_one`].
    pub(super) fn unpack_one(
        &mut self,
        index: usize,
        outlet: &Outlet,
        may_wait: bool,
    ) -> Step<Option<(HostBlock, u32)>> {
        let lane = &mut self.lanes[index];
        let filled = match lane.unpacking() {
            Some(filled) => filled,
            None => {
                let Some(filled) = lane.next_filled(&mut self.findings)? else {
                    return Ok(None);
                };
                let collector = &*self.collectors[lane.collector];
                lane.begin_unpacking(filled, collector, &mut self.findings)?;
                self.stats.lanes_with_news += 1;
                filled
            }
        };
        if !self.copy_pieces(index, outlet, may_wait)? {
            return Ok(None);
        }
        let Some(mut block) = self.block(outlet, may_wait) else {
            return Ok(None);
        };
        let lane = &mut self.lanes[index];
        lane.end_unpacking(block.room(lane.bytes_of(&filled)));
        if let Err(error) = lane.take(&filled, &mut self.findings) {
            self.blocks.put(block);
            return Err(error);
        }
        self.buffers[index] += 1;
        self.label(&mut block, index, &filled);
        Ok(Some((block, filled.buffer)))
    }

    /// Copies pieces of a lane's arena; says whether that was all of the buffer's.
    fn copy_pieces(&mut self, index: usize, outlet: &Outlet, may_wait: bool) -> Step<bool> {
        for _ in 0..PIECES_PER_PASS {
            let Some(piece) = self.lanes[index].next_piece() else {
                return Ok(true);
            };
            let Some(mut block) = self.block(outlet, may_wait) else {
                return Ok(false);
            };
            let lane = &mut self.lanes[index];
            let bytes = usize::try_from(piece.bytes).expect("at most a piece");
            let to = block.payload_room(piece.begin, bytes);
            if let Err(error) = lane.copy_piece(piece, to, &mut self.findings) {
                self.blocks.put(block);
                return Err(error);
            }
            block.kind = None;
            block.lane = lane.index;
            block.run_id = self.run_id;
            block.sequence = self.payloads[index].blocks;
            self.payloads[index].blocks += 1;
            self.payloads[index].bytes += piece.bytes;
            self.stats.payload_bytes += piece.bytes;
            self.send(block, outlet);
        }
        Ok(self.lanes[index].next_piece().is_none())
    }

    /// Copies what is in a buffer that a lane was filling, payloads included.
    pub(super) fn salvage_with_payloads(
        &mut self,
        index: usize,
        filled: &Filled,
        outlet: &Outlet,
    ) -> Step<()> {
        let lane = &mut self.lanes[index];
        let bytes = lane.bytes_of(filled);
        if bytes == 0 {
            return Ok(());
        }
        let collector = &*self.collectors[lane.collector];
        lane.begin_unpacking(*filled, collector, &mut self.findings)?;
        while !self.copy_pieces(index, outlet, true)? {}
        let Some(mut block) = self.block(outlet, true) else {
            unreachable!("a block is waited for");
        };
        self.lanes[index].end_unpacking(block.room(bytes));
        self.label(&mut block, index, filled);
        self.hand_on(block, outlet);
        Ok(())
    }
}
