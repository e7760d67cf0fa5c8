//! What a capture is written to: memory that can be held back or that gets full.

use super::sync::{Condvar, Mutex};
use std::io::{self, Write};
use std::sync::Arc;

/// Holds back writers while it is closed.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    is_closed: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    pub fn close(&self) {
        *self.is_closed.0.lock().unwrap() = true;
    }

    pub fn open(&self) {
        *self.is_closed.0.lock().unwrap() = false;
        self.is_closed.1.notify_all();
    }

    fn pass(&self) {
        let is_closed = self.is_closed.0.lock().unwrap();
        let passed = self
            .is_closed
            .1
            .wait_while(is_closed, |is_closed| *is_closed);
        drop(passed.unwrap());
    }
}

/// Memory to write to.
#[derive(Debug, Default)]
pub struct Sink {
    pub bytes: Vec<u8>,
    /// Waits here before each write.
    pub gate: Gate,
    /// Fails once it holds so many bytes.
    pub limit: Option<usize>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gate.pass();
        let room = self
            .limit
            .map_or(usize::MAX, |limit| limit - self.bytes.len());
        let taken = bytes.len().min(room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
