//! The drain: empties the ready queues, returns the buffers, checks the copies.

mod payloads;

use crate::host_blocks::HostBlocks;
use crate::lane::{Filled, Lane};
use crate::reconcile::{KindReckoning, LaneReckoning, LaneSnapshot, Reckoning};
use crate::region::Region;
use crate::sync::mpsc::{Receiver, RecvTimeoutError};
use crate::sync::{AtomicBool, thread};
use crate::writer::{HostBlock, Outlet, Returned};
use crate::{Collector, DrainStats, Findings};
use lanescope_abi::is_mutant;
use lanescope_capture::{CaptureError, FindingKind, RecordBlock, SessionInfo};
use lanescope_platform::PlatformError;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What was copied out of a lane's arena in this run.
#[derive(Clone, Copy, Debug, Default)]
struct PayloadTally {
    blocks: u64,
    bytes: u64,
}

type Step<T> = std::result::Result<T, PlatformError>;

/// State of the drain; lives as long as the region, and in the drain thread while a run goes on.
#[derive(Debug)]
pub(crate) struct Drain {
    region: Arc<Region>,
    lanes: Vec<Lane>,
    collectors: Vec<Box<dyn Collector>>,
    blocks: HostBlocks,
    run_id: u32,
    findings: Findings,
    stats: DrainStats,
    buffers: Vec<u64>,
    payloads: Vec<PayloadTally>,
    before: Vec<LaneSnapshot>,
    after: Option<Vec<LaneSnapshot>>,
    unwritten: u64,
    /// A piece of an arena did not get into the capture.
    unwritten_payloads: bool,
    /// Blocks that went down with the writer thread.
    lost_blocks: usize,
    /// The writer thread has not returned a block within its limit; it is sent none any more.
    is_writer_stuck: bool,
    /// The lane a pass begins with, so that none is always last.
    first_lane: usize,
}

impl Drain {
    pub(crate) fn new(
        region: &Arc<Region>,
        collectors: Vec<Box<dyn Collector>>,
        host_blocks: u32,
    ) -> Self {
        let layout = region.layout();
        let threads = layout.header().thread_count as usize;
        let lanes: Vec<Lane> = (0..)
            .zip(layout.lanes())
            .map(|(index, &config)| {
                let collector = index as usize / threads;
                let kind = collectors[collector].kind();
                Lane::new(region, index, config, kind, collector)
            })
            .collect();
        let block_bytes = layout.lanes().iter().map(Lane::block_bytes).max();
        Self {
            region: Arc::clone(region),
            buffers: vec![0; lanes.len()],
            payloads: vec![PayloadTally::default(); lanes.len()],
            lanes,
            collectors,
            blocks: HostBlocks::new(host_blocks, block_bytes.unwrap_or_default()),
            run_id: 0,
            findings: Findings::default(),
            stats: DrainStats::default(),
            before: Vec::new(),
            after: None,
            unwritten: 0,
            unwritten_payloads: false,
            lost_blocks: 0,
            is_writer_stuck: false,
            first_lane: 0,
        }
    }

    /// Forgets the last run; indices and buffers go on where they are.
    pub(crate) fn begin(&mut self, session: &SessionInfo) {
        self.run_id = session.run_id;
        self.findings = Findings::default();
        self.stats = DrainStats {
            host_block_bytes: self.blocks.held_bytes(),
            ..DrainStats::default()
        };
        self.buffers.fill(0);
        self.payloads.fill(PayloadTally::default());
        self.before.clear();
        self.after = None;
        self.unwritten = 0;
        self.unwritten_payloads = false;
        self.lost_blocks = 0;
        self.is_writer_stuck = false;
        for collector in &mut self.collectors {
            collector.begin(session);
        }
    }

    /// Sees to it that all buffers are free, and reads the counters the run starts from.
    pub(crate) fn prepare(&mut self) -> Step<()> {
        self.region.pull_lane_devices()?;
        for lane in &mut self.lanes {
            if !lane.is_at_rest() {
                log::warn!(
                    "{}: its queues are reset; what an earlier run left in them is lost",
                    lane.name()
                );
                lane.reset()?;
            }
        }
        let given_back = self.lanes.iter_mut().map(Lane::give_back_arena);
        if given_back.fold(false, |any, is_taken| any | is_taken) {
            self.region.push_lane_hosts()?;
        }
        self.region.pull_counters()?;
        self.before = self.snapshot();
        Ok(())
    }

    /// Drains until `stop` is set, which is when the streams have ended or are given up, and a whole
    /// pass has found nothing; then salvages what was never handed over and reads the counters. A device that goes on
    /// after that is not waited for: its lanes are retired, unless it was said to go on.
    ///
    /// A driver that fails is not called again before the streams have ended; then what is left is
    /// tried once more, lane by lane.
    pub(crate) fn run(&mut self, outlet: &Outlet, stop: &Stop) {
        if let Err(error) = self.drain_lanes(0..self.lanes.len(), outlet, stop) {
            self.cannot_read(&error);
            while !stop.is_set() {
                thread::park_timeout(Idle::LONGEST);
            }
            if let Err(error) = self.drain_each(outlet, stop) {
                self.cannot_read(&error);
            }
        }
        if let Err(error) = self.finish(outlet, stop.device_goes_on()) {
            self.cannot_read(&error);
        }
    }

    fn cannot_read(&mut self, error: &PlatformError) {
        self.findings.add(FindingKind::ReadFailed, 1, || {
            format!("the capture region cannot be read: {error}")
        });
    }

    /// A lane that cannot be read does not keep the others from being drained; the first failure is
    /// told.
    fn drain_each(&mut self, outlet: &Outlet, stop: &Stop) -> Step<()> {
        let mut result = Ok(());
        for index in 0..self.lanes.len() {
            let drained = self.drain_lanes(index..index + 1, outlet, stop);
            result = result.and(drained);
        }
        result
    }

    fn drain_lanes(&mut self, lanes: Range<usize>, outlet: &Outlet, stop: &Stop) -> Step<()> {
        let mut idle = Idle::default();
        let drained = self.lanes[lanes.clone()].iter();
        let mut last_passes: u64 = drained.map(Lane::last_passes).sum();
        loop {
            // Read before the pass: what was published before `stop` is found by this pass.
            let is_stopping = stop.is_set();
            if is_stopping && is_mutant("drain-without-last-pass") {
                return Ok(());
            }
            let has_news = self.tick(lanes.clone(), outlet)?;
            let is_stopping = is_stopping || is_mutant("stop-read-after-pass") && stop.is_set();
            if has_news {
                idle = Idle::default();
                last_passes -= u64::from(is_stopping);
                if last_passes == 0 && stop.device_goes_on() {
                    return Ok(());
                } else if last_passes == 0 {
                    return self.retire_endless(lanes);
                }
            } else if is_stopping {
                return Ok(());
            } else {
                idle.wait();
            }
        }
    }

    fn retire_endless(&mut self, lanes: Range<usize>) -> Step<()> {
        self.region.pull_lane_devices()?;
        for lane in &mut self.lanes[lanes] {
            if lane.look(&mut self.findings)? {
                lane.retire_endless(&mut self.findings);
            }
        }
        Ok(())
    }

    /// One pass over some lanes: at most one buffer of each, or some pieces of its payloads. All are copied, then their ready entries are taken,
    /// then they are returned to the device, each step visible before the next; only then are the
    /// copies checked. Says whether there was anything to do.
    pub(crate) fn tick(&mut self, lanes: Range<usize>, outlet: &Outlet) -> Step<bool> {
        let mut copies = Vec::new();
        let result = self.pass(lanes, outlet, &mut copies);
        // What was copied is captured, whatever failed after it.
        for block in copies {
            self.hand_on(block, outlet);
        }
        result
    }

    fn pass(
        &mut self,
        lanes: Range<usize>,
        outlet: &Outlet,
        copies: &mut Vec<HostBlock>,
    ) -> Step<bool> {
        let copied_before = self.region.mapping().copied_bytes();
        self.region.pull_lane_devices()?;
        let mut drained = Vec::new();
        let mut has_news = false;
        for turn in 0..lanes.len() {
            let index = lanes.start + (self.first_lane + turn) % lanes.len();
            if !self.lanes[index].look(&mut self.findings)? {
                continue;
            }
            has_news = true;
            let may_wait = copies.is_empty();
            let emptied = match self.lanes[index].has_arena() {
                true => self.unpack_one(index, outlet, may_wait)?,
                false => self.empty_one(index, outlet, may_wait)?,
            };
            if let Some((copy, buffer)) = emptied {
                copies.push(copy);
                drained.push((index, buffer));
            }
        }
        if has_news {
            if !is_mutant("heads-with-buffers") {
                self.region.push_lane_hosts()?;
            }
            for &(index, buffer) in &drained {
                if !is_mutant("returned-before-copied") {
                    self.lanes[index].give_back(buffer, &mut self.findings)?;
                }
            }
        }
        if !drained.is_empty() {
            self.region.push_lane_hosts()?;
            self.first_lane = (self.first_lane + 1) % self.lanes.len();
        }
        let copied = self.region.mapping().copied_bytes() - copied_before;
        self.stats.ticks += 1;
        if has_news {
            self.stats.ticks_with_news += 1;
            self.stats.copied_bytes += copied;
        } else {
            self.stats.idle_copied_bytes += copied;
        }
        Ok(has_news)
    }

    /// Copies the next buffer of a lane and takes its ready entry; returns the copy and the buffer.
    /// Waits for a host block only if `may_wait`: a pass that has copies in hand checks those first.
    fn empty_one(
        &mut self,
        index: usize,
        outlet: &Outlet,
        may_wait: bool,
    ) -> Step<Option<(HostBlock, u32)>> {
        let Some(mut block) = self.block(outlet, may_wait) else {
            return Ok(None);
        };
        match self.copy_next(index, &mut block) {
            Ok(Some(filled)) => {
                self.label(&mut block, index, &filled);
                Ok(Some((block, filled.buffer)))
            }
            nothing => {
                self.blocks.put(block);
                nothing.map(|_| None)
            }
        }
    }

    fn copy_next(&mut self, index: usize, block: &mut HostBlock) -> Step<Option<Filled>> {
        let lane = &mut self.lanes[index];
        let Some(filled) = lane.next_filled(&mut self.findings)? else {
            return Ok(None);
        };
        if is_mutant("returned-before-copied") {
            lane.take(&filled, &mut self.findings)?;
            lane.give_back(filled.buffer, &mut self.findings)?;
            lane.copy(&filled, block.room(lane.bytes_of(&filled)))?;
        } else {
            lane.copy(&filled, block.room(lane.bytes_of(&filled)))?;
            lane.take(&filled, &mut self.findings)?;
        }
        self.stats.lanes_with_news += 1;
        self.buffers[index] += 1;
        Ok(Some(filled))
    }

    fn label(&mut self, block: &mut HostBlock, index: usize, filled: &Filled) {
        let lane = &self.lanes[index];
        block.lane = lane.index;
        block.thread = lane.thread;
        block.kind = Some(lane.kind);
        block.record_bytes = lane.record_bytes();
        block.collector = lane.collector;
        block.run_id = self.run_id;
        block.sequence = filled.sequence;
        self.stats.buffers += 1;
        self.stats.records += u64::from(filled.count);
        self.stats.record_bytes += block.bytes as u64;
    }

    /// Checks a copy and gives it to the writer thread.
    fn hand_on(&mut self, block: HostBlock, outlet: &Outlet) {
        self.collectors[block.collector].consume(
            block.thread,
            block.contents(),
            &mut self.findings,
        );
        self.send(block, outlet);
    }

    /// Gives a block to the writer thread.
    fn send(&mut self, mut block: HostBlock, outlet: &Outlet) {
        block.checksum = RecordBlock::checksum(block.contents());
        // Where the writer thread is stuck or gone, the verdict says so when the run is settled.
        let unsent = if self.is_writer_stuck {
            Some(block)
        } else {
            outlet.full.send(block).err().map(|unsent| unsent.0)
        };
        if let Some(block) = unsent {
            self.take_back(Returned {
                block,
                is_written: false,
            });
        }
    }

    /// A host block; `None` when all are with the writer thread and `may_wait` is false.
    fn block(&mut self, outlet: &Outlet, may_wait: bool) -> Option<HostBlock> {
        self.take_returned(&outlet.returned);
        loop {
            if let Some(block) = self.blocks.take() {
                self.stats.host_block_bytes = self.blocks.held_bytes();
                return Some(block);
            }
            if !may_wait {
                return None;
            }
            self.stats.writer_waits += 1;
            match outlet.returned.recv_timeout(outlet.write_limit) {
                Ok(returned) => self.take_back(returned),
                Err(gone) => {
                    // The blocks it had are lost with the writer thread, or may be.
                    self.is_writer_stuck |= gone == RecvTimeoutError::Timeout;
                    self.lost_blocks += self.blocks.forget_absent();
                }
            }
        }
    }

    /// Takes the blocks that the writer thread has returned, and says whether there were any. One that
    /// was given up for lost stays lost.
    pub(crate) fn take_returned(&mut self, returned: &Receiver<Returned>) -> bool {
        let mut has_any = false;
        while let Ok(returned) = returned.try_recv() {
            has_any = true;
            if !self.is_writer_stuck {
                self.take_back(returned);
            }
        }
        has_any
    }

    fn take_back(&mut self, returned: Returned) {
        let Returned { block, is_written } = returned;
        if !is_written {
            if block.kind.is_some() {
                self.collectors[block.collector].withdraw(block.thread, block.contents());
            }
            self.unwritten += block.record_count();
            self.unwritten_payloads |= block.kind.is_none();
        }
        self.blocks.put(block);
    }

    /// The run is over: salvages what was never handed over and reads the last counts. A lane
    /// that cannot be read does not keep the others from being salvaged; the first failure is told.
    ///
    /// Where the device goes on, nothing is returned to it: it still fills what is salvaged here. It
    /// counts before it records, so its counts, read behind the records, are of them all.
    pub(crate) fn finish(&mut self, outlet: &Outlet, device_goes_on: bool) -> Step<()> {
        self.region.pull_lane_devices()?;
        let mut result = Ok(());
        for index in 0..self.lanes.len() {
            let looked = self.lanes[index].look_at_free(&mut self.findings);
            result = result.and(looked);
            let salvaged = self.salvage(index, outlet, device_goes_on);
            result = result.and(salvaged);
        }
        let counted = self.region.pull_counters();
        if counted.is_ok() {
            self.after = Some(self.snapshot());
        }
        result = result.and(counted);
        if device_goes_on {
            return result;
        }
        let pushed = self.region.push_lane_hosts();
        result.and(pushed)
    }

    /// Copies what is in the buffer that a lane was filling, and returns the buffer, unless the device
    /// goes on filling it: then the lane is not at rest, and is reset before the next run.
    fn salvage(&mut self, index: usize, outlet: &Outlet, device_goes_on: bool) -> Step<()> {
        let lane = &mut self.lanes[index];
        let Some(filled) = lane.filling(device_goes_on, &mut self.findings) else {
            return Ok(());
        };
        let copied = match self.lanes[index].has_arena() {
            true => self.salvage_with_payloads(index, &filled, outlet),
            false => self.salvage_records(index, &filled, outlet),
        };
        copied?;
        if device_goes_on {
            return Ok(());
        }
        self.lanes[index].give_back_filling(filled.buffer, &mut self.findings)
    }

    fn salvage_records(&mut self, index: usize, filled: &Filled, outlet: &Outlet) -> Step<()> {
        let Some(mut block) = self.block(outlet, true) else {
            unreachable!("a block is waited for");
        };
        let lane = &mut self.lanes[index];
        let bytes = lane.bytes_of(filled);
        let copied = lane.copy(filled, block.room(bytes));
        if bytes == 0 || copied.is_err() {
            self.blocks.put(block);
        } else {
            self.label(&mut block, index, filled);
            self.hand_on(block, outlet);
        }
        copied
    }

    /// What the device says now; its lines have been pulled.
    fn snapshot(&self) -> Vec<LaneSnapshot> {
        let cores = self.region.layout().header().core_count;
        self.lanes
            .iter()
            .map(|lane| LaneSnapshot {
                device: self.region.lane_device(lane.index),
                counters: (0..cores)
                    .map(|core| self.region.counters(lane.index, core))
                    .collect(),
            })
            .collect()
    }

    /// Both threads have ended: takes back the last blocks and says what was not written.
    pub(crate) fn settle(&mut self, returned: &Receiver<Returned>, failure: Option<&CaptureError>) {
        self.take_returned(returned);
        self.lost_blocks += self.blocks.forget_absent();
        let (unwritten, lost) = (self.unwritten, self.lost_blocks);
        if let Some(error) = failure {
            self.findings.add(FindingKind::WriteFailed, unwritten, || {
                let blocks = match lost {
                    0 => String::new(),
                    lost => format!(" and {lost} blocks"),
                };
                format!("{unwritten} records{blocks} are not in the capture: {error}")
            });
        } else if unwritten != 0 || lost != 0 || self.unwritten_payloads {
            self.findings.add(FindingKind::WriteFailed, unwritten, || {
                format!(
                    "the writer thread ended early; {unwritten} records and {lost} blocks are not \
                     in the capture"
                )
            });
        }
    }

    /// What there is to judge.
    pub(crate) fn reckon(&mut self) -> (Reckoning, DrainStats) {
        let mut after = self.after.take().map(Vec::into_iter);
        let mut before = mem::take(&mut self.before).into_iter();
        let lanes = self
            .lanes
            .iter()
            .zip(self.buffers.iter().zip(&self.payloads))
            .map(|(lane, (&buffers, payloads))| LaneReckoning {
                kind: lane.kind,
                thread: lane.thread,
                buffers,
                payload_bytes: payloads.bytes,
                next_sequence: lane.next_sequence(),
                is_retired: lane.is_retired(),
                before: before.next().unwrap_or_default(),
                after: after.as_mut().and_then(Iterator::next),
            })
            .collect();
        let kinds = self
            .collectors
            .iter()
            .map(|collector| KindReckoning {
                kind: collector.kind(),
                expectation: collector.expectation(),
                ledger: collector.ledger().clone(),
            })
            .collect();
        let reckoning = Reckoning {
            lanes,
            kinds,
            findings: mem::take(&mut self.findings),
        };
        (reckoning, self.stats)
    }
}

/// The word to the drain thread that the run is over.
#[derive(Debug)]
pub(crate) struct Stop {
    is_set: AtomicBool,
    /// The streams have not ended; written before `is_set`.
    device_goes_on: AtomicBool,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            device_goes_on: AtomicBool::new(false),
        }
    }

    pub(crate) fn set(&self, device_goes_on: bool) {
        self.device_goes_on.store(device_goes_on, Ordering::Relaxed);
        self.is_set.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Whether the device may still use the region; known behind `is_set`.
    fn device_goes_on(&self) -> bool {
        self.device_goes_on.load(Ordering::Relaxed)
    }
}

/// How long to wait between passes that find nothing: not at all, then a little, then 200 µs.
#[derive(Debug, Default)]
struct Idle {
    passes: u32,
}

impl Idle {
    /// The model checker has no need of patience, and its threads none of long schedules.
    const SPINS: u32 = if cfg!(shuttle) { 1 } else { 16 };
    const YIELDS: u32 = if cfg!(shuttle) { 1 } else { 8 };
    const LONGEST: Duration = Duration::from_micros(200);

    fn wait(&mut self) {
        self.passes = self.passes.saturating_add(1);
        if self.passes <= Self::SPINS {
            for _ in 0..16 {
                std::hint::spin_loop();
            }
        } else if self.passes <= Self::SPINS + Self::YIELDS {
            thread::yield_now();
        } else {
            let doublings = (self.passes - Self::SPINS - Self::YIELDS).min(8);
            let time = Duration::from_micros(1 << doublings).min(Self::LONGEST);
            thread::park_timeout(time);
        }
    }
}
