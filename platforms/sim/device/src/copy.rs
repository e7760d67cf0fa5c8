//! Bulk copies of an AICPU thread, in virtual time.
//!
//! # Ordering
//!
//! Takes the time first, lets every earlier agent run, then copies all at once: nobody may write the
//! source meanwhile, and nobody may read the target before it is published. Source lines are seen as
//! any load sees them, stale ones included, and stay cached; the last [`MOST_COPIED_LINES`] of those
//! that only a copy has brought in, for a cache has an end. They are stale on both chips until they are
//! invalidated, whoever writes them: what kernels store is not seen by the views.

use crate::agent::Agent;
use crate::engine::Engine;
use crate::memory::{LINE_BYTES, Line, line_of};
use lanescope_abi::Checksum;
use std::collections::VecDeque;

/// Lines that copies keep cached: 1 MiB.
const MOST_COPIED_LINES: usize = 1 << 14;

/// The lines that copies have brought into the AICPU's cache, oldest first.
#[derive(Debug, Default)]
pub struct CopiedLines {
    lines: VecDeque<u64>,
    /// Kept from copy to copy for its room.
    bytes: Vec<u8>,
}

impl Engine {
    /// See [`lanescope_abi::Device::copy`].
    pub fn copy(&self, agent: &Agent, to: u64, from: u64, bytes: u64) {
        let line_cost = agent.costs.get().copy_line;
        self.copy_lines(agent, to, from, bytes, line_cost.into());
    }

    /// See [`lanescope_abi::Device::copy_summed`].
    pub fn copy_summed(
        &self,
        agent: &Agent,
        to: u64,
        from: u64,
        bytes: u64,
        checksum: &mut Checksum,
    ) {
        if !(to | bytes).is_multiple_of(LINE_BYTES) {
            let text = format!("copied {bytes} bytes to {to:#x} with a checksum of whole lines");
            self.fail(agent, text);
        }
        let line_cost = agent.costs.get().summed_line();
        self.copy_lines(agent, to, from, bytes, line_cost.into());
        checksum.lines(&self.memory.copy(to, bytes).unwrap_or_default());
    }

    fn copy_lines(&self, agent: &Agent, to: u64, from: u64, bytes: u64, line_cost: u64) {
        self.count_call(agent);
        agent.only_looked.set(false);
        if !agent.is_thread.get() {
            self.fail(agent, "copied; only AICPU threads copy".to_owned());
        }
        let costs = agent.costs.get();
        let lines = bytes.div_ceil(LINE_BYTES);
        let cost = u64::from(costs.load) + line_cost.saturating_mul(lines);
        for (what, address) in [("from", from), ("to", to)] {
            if !self.memory.contains(address, bytes) {
                let text =
                    format!("copied {bytes} bytes {what} {address:#x}, which is not device memory");
                self.fail(agent, text);
            }
        }
        self.advance(agent, cost);
        if bytes != 0 {
            self.copy_bytes(agent, to, from, bytes);
        }
    }

    /// Both ranges are device memory.
    fn copy_bytes(&self, agent: &Agent, to: u64, from: u64, bytes: u64) {
        let mut copied = self.copied_lines.borrow_mut();
        let mut buffer = std::mem::take(&mut copied.bytes);
        buffer.clear();
        let first = line_of(from);
        for line in (first..from + bytes).step_by(length(LINE_BYTES)) {
            let words = self.line_to_copy(agent, line, &mut copied);
            buffer.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        let begin = length(from - first);
        let source = &buffer[begin..begin + length(bytes)];
        self.memory.write_bytes(to, source);
        let mut view = self.aicpu_view.borrow_mut();
        for line in (line_of(to)..to + bytes).step_by(length(LINE_BYTES)) {
            view.overwritten(line, || self.memory.read_line(line));
        }
        copied.bytes = buffer;
    }

    /// A source line as the AICPU sees it, which it has cached from now on.
    fn line_to_copy(&self, agent: &Agent, line: u64, copied: &mut CopiedLines) -> Line {
        let mut view = self.aicpu_view.borrow_mut();
        let is_new = !view.knows(line);
        let words = view.load_line(line, || self.read_line_as_aicpu(agent, line));
        if is_new {
            copied.lines.push_back(line);
            if copied.lines.len() > MOST_COPIED_LINES
                && let Some(oldest) = copied.lines.pop_front()
            {
                view.invalidate(oldest);
            }
        }
        words.expect("the whole range is device memory")
    }
}

/// Bytes inside this process's own memory are a `usize`.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
