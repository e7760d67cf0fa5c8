//! Blocks of the file: made on several threads, written by one in the order of the file.
//!
//! # Ordering
//!
//! Thread n of N makes the stretches n, n + N, n + 2 N, … and hands on their blocks one by one; the writer takes
//! each stretch from the thread that makes it. So the bytes are the same for any number of threads, and what
//! waits to be written is bounded however long a stretch is.

use super::stretches::Stretch;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

/// Where one thread hands on what it made.
pub(super) struct Blocks {
    full: SyncSender<Block>,
    empty: Receiver<Vec<u8>>,
}

/// Nobody takes blocks any more: the writer failed, and says why.
#[derive(Debug)]
pub(super) struct Stopped;

struct Block {
    bytes: Vec<u8>,
    ends_stretch: bool,
}

/// The writer's ends of one thread's [`Blocks`].
struct Lane {
    full: Receiver<Block>,
    empty: Sender<Vec<u8>>,
}

/// Blocks of one thread that wait to be written.
const WAITING: usize = 2;

impl Blocks {
    /// A block is handed on when it has so many.
    pub(super) const BYTES: usize = 2 << 20;
    /// Room kept for the event that fills a block; a longer one makes the block grow.
    const EVENT_BYTES: usize = 4 << 10;

    fn pair() -> (Self, Lane) {
        let (full, taken) = mpsc::sync_channel(WAITING);
        let (given_back, empty) = mpsc::channel();
        let lane = Lane {
            full: taken,
            empty: given_back,
        };
        (Self { full, empty }, lane)
    }

    /// Room for the next block.
    pub(super) fn empty(&self) -> Vec<u8> {
        let written = self.empty.try_recv();
        written.unwrap_or_else(|_| Vec::with_capacity(Self::BYTES + Self::EVENT_BYTES))
    }

    pub(super) fn hand_on(&self, bytes: Vec<u8>, ends_stretch: bool) -> Result<(), Stopped> {
        let block = Block {
            bytes,
            ends_stretch,
        };
        self.full.send(block).map_err(|_| Stopped)
    }
}

/// Has `threads` threads make the stretches, writes what they hand on, and says how many bytes that were.
/// `make` makes all stretches that it is given.
pub(super) fn write(
    stretches: &[Stretch],
    threads: usize,
    make: impl Fn(&mut dyn Iterator<Item = &Stretch>, Blocks) -> Result<(), Stopped> + Sync,
    mut out: impl Write,
) -> io::Result<u64> {
    thread::scope(|scope| {
        let begin = |thread: usize| {
            let (blocks, lane) = Blocks::pair();
            let make = &make;
            scope.spawn(move || {
                let mut stretches = stretches.iter().skip(thread).step_by(threads);
                make(&mut stretches, blocks)
            });
            lane
        };
        let lanes: Vec<Lane> = (0..threads).map(begin).collect();
        let mut written = 0;
        for lane in lanes.iter().cycle().take(stretches.len()) {
            written += lane.write_stretch(&mut out)?;
        }
        Ok(written)
    })
}

impl Lane {
    /// Writes the blocks of one stretch.
    fn write_stretch(&self, out: &mut impl Write) -> io::Result<u64> {
        let mut written = 0;
        loop {
            // It ends before its stretches do only when it panics, and then the scope does too.
            let Ok(mut block) = self.full.recv() else {
                return Ok(written);
            };
            out.write_all(&block.bytes)?;
            written += block.bytes.len() as u64;
            block.bytes.clear();
            // The thread may have ended; then it needs none.
            let _ = self.empty.send(block.bytes);
            if block.ends_stretch {
                return Ok(written);
            }
        }
    }
}
