//! Copies long tables to the device in pieces, with little host memory.

use crate::{Result, RuntimeError};
use lanescope_platform::{Device, DeviceAddress};

/// One copy moves at most this much.
const PIECE_BYTES: usize = 4 << 20;

/// Writes bytes one behind the other from a device address on.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    device: &'a dyn Device,
    doing: &'static str,
    to: DeviceAddress,
    piece: Vec<u8>,
}

impl<'a> Upload<'a> {
    pub(crate) fn new(device: &'a dyn Device, doing: &'static str, to: DeviceAddress) -> Self {
        Self {
            device,
            doing,
            to,
            piece: Vec::new(),
        }
    }

    /// Adds bytes, which may be many.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE_BYTES {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Adds zeros.
    pub(crate) fn zeros(&mut self, mut bytes: u64) -> Result<()> {
        while bytes > 0 {
            let room = PIECE_BYTES - self.piece.len();
            let now = usize::try_from(bytes).map_or(room, |bytes| bytes.min(room));
            self.piece.resize(self.piece.len() + now, 0);
            bytes -= now as u64;
            if self.piece.len() == PIECE_BYTES {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Sends what is left.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.send()
    }

    fn send(&mut self) -> Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.device
            .copy_to_device(self.to, &self.piece)
            .map_err(|source| RuntimeError::platform(self.doing, source))?;
        self.to = self.to.offset(self.piece.len() as u64);
        self.piece.clear();
        Ok(())
    }
}
