//! A device that takes its steps when the drain looks, so that what the host sees depends on no time.

use super::{Bed, DeviceMemoryView, DeviceThread, Sink, ended, record};
use lanescope_abi::Token;
use lanescope_capture::{Capture, Outcome, Verdict};
use lanescope_profiling::DrainStats;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records committed at each look at the lanes.
const PER_LOOK: u32 = 3;
/// Records committed at the last look.
const LAST_WORDS: u32 = 4;
/// Looks without a free buffer after which the device gives up.
const PATIENCE: u32 = 20;
/// No run of a few dozen records takes so long.
const HANG: Duration = Duration::from_secs(120);

/// Most findings of a verdict: each of the fifteen kinds told sixteen times, and the rest of it once.
const MOST_FINDINGS: usize = 15 * 17;

/// Where in its run the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The host looks at the lanes and the device goes on.
    Running,
    /// The host looks at the lanes and the device does nothing.
    Idle,
    /// The device says its last words; the host is told to stop after this look.
    Last,
    /// The host was told to stop.
    Stopping,
    /// The host looks at something else than the lanes.
    Within,
}

/// The device side of one run.
pub struct Puppet {
    pub memory: DeviceMemoryView,
    pub threads: Vec<DeviceThread>,
    /// Looks at the lanes so far.
    pub looks: u32,
    cores: u32,
    run_id: u32,
    next_tokens: Vec<Token>,
    dispatched: Vec<u64>,
    next_core: u32,
    left: u32,
    starved: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Done,
    MayEnd,
    Ended,
    Stopping,
}

/// What a run came to.
pub struct Run {
    pub verdict: Verdict,
    pub stats: DrainStats,
    /// Core and token of every record that the device placed.
    pub placed: HashSet<(u16, u32)>,
    /// The capture.
    pub bytes: Vec<u8>,
}

impl Run {
    /// Core and token of every record in the capture, and how many there are.
    pub fn captured(&self) -> (HashSet<(u16, u32)>, u64) {
        let capture = Capture::from_bytes(&self.bytes).unwrap();
        assert_eq!(capture.damage(), []);
        let run = capture.run(self.verdict.run_id).unwrap().unwrap();
        let records = run.task_records().flatten();
        let keys: Vec<_> = records.map(|record| (record.core, record.token)).collect();
        let count = keys.len() as u64;
        (keys.into_iter().collect(), count)
    }
}

impl Run {
    /// Whatever the device wrote: what the verdict says holds for the capture, and it is short.
    pub fn assert_sound(&self) {
        let verdict = &self.verdict;
        let (captured, count) = self.captured();
        assert!(verdict.findings.len() <= MOST_FINDINGS);
        for finding in &verdict.findings {
            assert!(finding.text.len() < 300, "{}", finding.text);
            let is_summary = finding.text.ends_with("more of this kind");
            assert!(
                finding.text.contains("thread") || is_summary,
                "{}",
                finding.text
            );
        }
        assert!(verdict.totals.collected <= count);
        assert_eq!(self.stats.records, count);
        if verdict.outcome == Outcome::Exact {
            assert_eq!(verdict.findings, []);
            assert_eq!(captured, self.placed);
            assert_eq!(count, self.placed.len() as u64);
        } else {
            assert_ne!(verdict.outcome, Outcome::Partial);
            assert!(!verdict.findings.is_empty());
        }
    }
}

impl Bed {
    /// A run of `count` records and a few last ones, all taken in the drain's own thread. At every
    /// look of the host, `act` may do anything, after the device's own step.
    pub fn puppet_run(
        &mut self,
        count: u32,
        mut act: impl FnMut(&mut Puppet, Moment) + Send + 'static,
    ) -> Run {
        let recording = self.start(Sink::default());
        let first_tokens = self.next_tokens.clone();
        let puppet = Arc::new(Mutex::new(Puppet::new(self, count)));
        let lanes = self.profiler.layout().header().lane_devices.offset_bytes;
        let shared = Arc::clone(&puppet);
        self.device.behaviour.on_look.set(move |range| {
            let mut puppet = lock(&shared);
            let moment = if range.start == lanes {
                puppet.step()
            } else {
                Moment::Within
            };
            act(&mut puppet, moment);
        });
        wait_for(&puppet, Phase::Done);
        lock(&puppet).phase = Phase::MayEnd;
        wait_for(&puppet, Phase::Ended);
        let dispatched = {
            let mut puppet = lock(&puppet);
            puppet.phase = Phase::Stopping;
            puppet.dispatched.clone()
        };
        let stopped = recording.stop(&ended(dispatched));
        self.device.behaviour.on_look.clear();
        let puppet = lock(&puppet);
        self.next_tokens.clone_from(&puppet.next_tokens);
        Run {
            verdict: stopped.verdict,
            stats: stopped.stats,
            placed: puppet.placed(&first_tokens),
            bytes: stopped.writer.unwrap().into_inner().unwrap().bytes,
        }
    }
}

impl Puppet {
    /// The run.
    pub fn run_id(&self) -> u32 {
        self.run_id
    }

    /// Tasks dispatched to a core, and the token that comes next on it.
    pub fn dispatched(&self, core: u32) -> (u64, Token) {
        (
            self.dispatched[core as usize],
            self.next_tokens[core as usize],
        )
    }

    fn new(bed: &Bed, count: u32) -> Self {
        Self {
            memory: bed.device.memory(),
            threads: (0..bed.threads).map(|thread| bed.thread(thread)).collect(),
            looks: 0,
            cores: bed.cores,
            run_id: bed.run_id,
            next_tokens: bed.next_tokens.clone(),
            dispatched: vec![0; bed.cores as usize],
            next_core: 0,
            left: count,
            starved: 0,
            phase: Phase::Running,
        }
    }

    fn step(&mut self) -> Moment {
        self.looks += 1;
        match self.phase {
            Phase::Running => {
                let count = self.commit(PER_LOOK.min(self.left));
                self.left -= count;
                self.starved += u32::from(count == 0);
                if self.left == 0 || self.starved > PATIENCE {
                    self.phase = Phase::Done;
                }
                Moment::Running
            }
            Phase::Done | Phase::Ended => Moment::Idle,
            Phase::MayEnd => {
                self.commit(LAST_WORDS);
                self.threads.iter_mut().for_each(DeviceThread::flush);
                self.phase = Phase::Ended;
                Moment::Last
            }
            Phase::Stopping => Moment::Stopping,
        }
    }

    /// Commits so many records of the cores in turn, as long as buffers are free.
    fn commit(&mut self, count: u32) -> u32 {
        for done in 0..count {
            let core = self.next_core;
            let thread = core as usize % self.threads.len();
            if !self.threads[thread].has_room() {
                return done;
            }
            let token = self.next_tokens[core as usize];
            self.threads[thread].commit(&record(self.run_id, core, token));
            self.next_tokens[core as usize] = token.next();
            self.dispatched[core as usize] += 1;
            self.next_core = (core + 1) % self.cores;
        }
        count
    }

    fn placed(&self, first_tokens: &[Token]) -> HashSet<(u16, u32)> {
        (0u16..)
            .zip(first_tokens)
            .zip(&self.dispatched)
            .flat_map(|((core, first), &count)| {
                (0..count).map(move |step| (core, first.advance(step).raw()))
            })
            .collect()
    }
}

fn lock(puppet: &Mutex<Puppet>) -> MutexGuard<'_, Puppet> {
    puppet.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for(puppet: &Mutex<Puppet>, phase: Phase) {
    let begin = Instant::now();
    while lock(puppet).phase != phase {
        assert!(begin.elapsed() < HANG, "the drain looks no more");
        std::thread::yield_now();
    }
}
