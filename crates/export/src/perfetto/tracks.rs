//! The rows of the timeline: processes, threads, and the lanes that keep slices apart.

use super::event::PLAIN_SEQUENCE;
use super::sequence::{Clock, Sequence};
use super::wire::{Wire, length_key, varint_key};
use lanescope_trace::{Session, Trace};

/// Process ids are made up; thread ids are, too, and differ from all of them.
const AICORE_PID: u64 = 1;
const AICPU_PID: u64 = 2;
const FIRST_THREAD_PID: u64 = 100;
/// Of the devices of a merged trace.
const FIRST_DEVICE_PID: u64 = 1000;
const FIRST_KERNEL_TID: u64 = 10_000;
const FIRST_STAY_TID: u64 = 100_000;
const FIRST_PHASE_TID: u64 = 200_000;

/// More slices at once than this on one core are not slices any more.
const MAX_LANES: usize = 32;

/// Every track of the trace.
#[derive(Debug)]
pub(super) struct Tracks {
    /// The track of the run's facts.
    pub(super) run: u64,
    /// By core: start to end.
    pub(super) kernels: Vec<Lanes>,
    /// By core: dispatch to finish.
    pub(super) stays: Vec<Lanes>,
    /// Of schedulers and orchestrators, as they come.
    pub(super) phases: Vec<Lanes>,
    /// The process of each AICPU thread, and last that of cores whose thread is not known.
    processes: Vec<Option<u64>>,
    /// What they are called.
    thread_names: Vec<String>,
    next_phase_tid: u64,
    pub(super) ids: Ids,
}

/// The next unused track and sequence.
#[derive(Debug)]
pub(super) struct Ids {
    track: u64,
    sequence: u64,
    /// Every description of a track so far, as it was written.
    described: Vec<u8>,
}

/// A thread's track and the further tracks for slices that overlap.
#[derive(Debug)]
pub(super) struct Lanes {
    track: u64,
    /// The sequence of the first lane, given early so that the cores' ids are small.
    first_sequence: u64,
    name: String,
    lanes: Vec<Sequence>,
}

impl Tracks {
    pub(super) fn of(trace: &Trace) -> Self {
        let session = trace.session();
        let mut ids = Ids {
            track: 0,
            sequence: PLAIN_SEQUENCE,
            described: Vec::new(),
        };
        let run = ids.next_track();
        let mut by_core = || -> Vec<Lanes> {
            let cores = 0..session.cores.len();
            cores
                .map(|core| Lanes::new(&mut ids, session.core_name_in_device(core)))
                .collect()
        };
        let (kernels, stays) = (by_core(), by_core());
        Self {
            run,
            kernels,
            stays,
            phases: Vec::new(),
            processes: Vec::new(),
            thread_names: trace
                .threads()
                .map(|thread| session.thread_name(thread as usize))
                .collect(),
            next_phase_tid: FIRST_PHASE_TID,
            ids,
        }
    }

    /// Names the tracks that every trace has.
    pub(super) fn describe(&mut self, wire: &mut Wire, session: &Session, aicpu_tracks: bool) {
        descriptor(wire, &mut self.ids, self.run, "run", None);
        let devices = self.devices(wire, session);
        for (core, (tid, lanes)) in (FIRST_KERNEL_TID..).zip(&self.kernels).enumerate() {
            let device = session.device_of_core(core).map_or(0, |(device, _)| device);
            let (pid, parent) = devices[device];
            let ids = &mut self.ids;
            thread(wire, ids, lanes.track, parent, (pid, tid), &lanes.name);
        }
        if !aicpu_tracks {
            return;
        }
        for core in 0..self.stays.len() {
            let owner = session.cores[core].thread;
            let owner = owner.and_then(|thread| usize::try_from(thread).ok());
            let (pid, parent) = self.aicpu_process(wire, owner);
            let lanes = &self.stays[core];
            let tid = FIRST_STAY_TID + core as u64;
            thread(
                wire,
                &mut self.ids,
                lanes.track,
                parent,
                (pid, tid),
                &lanes.name,
            );
        }
    }

    /// Says again what tracks there are and where their sequences stand.
    pub(super) fn restart(&mut self, wire: &mut Wire, clock: &Clock) {
        wire.raw(&self.ids.described);
        let of_cores = self.kernels.iter_mut().chain(&mut self.stays);
        for lanes in of_cores.chain(&mut self.phases) {
            for lane in &mut lanes.lanes {
                lane.restart(wire, clock);
            }
        }
    }

    /// A process for the cores of each device: process id and track.
    fn devices(&mut self, wire: &mut Wire, session: &Session) -> Vec<(u64, u64)> {
        let mut titles = vec![format!("AICore ({})", session.platform)];
        if !session.devices.is_empty() {
            let devices = session.devices.iter();
            let devices = devices.map(|device| match device.uncertainty_ns {
                0 => format!("AICore {} ({})", device.name, device.platform),
                ns => format!("AICore {} ({}, ± {ns} ns)", device.name, device.platform),
            });
            titles = devices.collect();
        }
        let first = if titles.len() == 1 {
            AICORE_PID
        } else {
            FIRST_DEVICE_PID
        };
        let titles = (first..).zip(titles);
        let processes = titles.map(|(pid, title)| {
            let track = self.ids.next_track();
            process(wire, &mut self.ids, track, pid, &title);
            (pid, track)
        });
        processes.collect()
    }

    /// A thread of an AICPU thread's process, for phases: its place among them.
    pub(super) fn thread(&mut self, wire: &mut Wire, owner: Option<usize>, name: &str) -> usize {
        let (pid, parent) = self.aicpu_process(wire, owner);
        let lanes = Lanes::new(&mut self.ids, name.to_owned());
        let tid = self.next_phase_tid;
        thread(wire, &mut self.ids, lanes.track, parent, (pid, tid), name);
        self.next_phase_tid += 1;
        self.phases.push(lanes);
        self.phases.len() - 1
    }

    /// A counter track below a core's own.
    pub(super) fn counter(
        &mut self,
        wire: &mut Wire,
        core: usize,
        name: &str,
        unit_name: &str,
    ) -> u64 {
        let track = self.ids.next_track();
        let parent = self.kernels[core].track;
        describe(wire, &mut self.ids, |descriptor| {
            descriptor.uint(varint_key(1), track);
            descriptor.text(length_key(2), name);
            descriptor.uint(varint_key(5), parent);
            descriptor.message(length_key(8), |counter| {
                counter.text(length_key(6), unit_name);
            });
        });
        track
    }

    /// The process of an AICPU thread, or the one for cores whose thread is not known.
    fn aicpu_process(&mut self, wire: &mut Wire, owner: Option<usize>) -> (u64, u64) {
        // Thread numbers come from files: one beyond any chip's is as good as unknown.
        let owner = owner.filter(|&thread| thread < 256);
        let place = owner.map_or(0, |thread| thread + 1);
        let pid = match owner {
            Some(thread) => FIRST_THREAD_PID + thread as u64,
            None => AICPU_PID,
        };
        if place >= self.processes.len() {
            self.processes.resize(place + 1, None);
        }
        let track = match self.processes[place] {
            Some(track) => track,
            None => {
                let track = self.ids.next_track();
                let title = match owner {
                    Some(thread) => match self.thread_names.get(thread) {
                        Some(name) => format!("AICPU thread {name}"),
                        None => format!("AICPU thread {thread}"),
                    },
                    None => "AICPU".to_owned(),
                };
                process(wire, &mut self.ids, track, pid, &title);
                self.processes[place] = Some(track);
                track
            }
        };
        (pid, track)
    }
}

impl Ids {
    fn next_track(&mut self) -> u64 {
        self.track += 1;
        self.track
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

impl Lanes {
    fn new(ids: &mut Ids, name: String) -> Self {
        Self {
            track: ids.next_track(),
            first_sequence: ids.next_sequence(),
            name,
            lanes: Vec::new(),
        }
    }

    /// The thread's own track.
    pub(super) fn track(&self) -> u64 {
        self.track
    }

    /// The first lane whose last slice has ended; a new one when none has.
    #[inline]
    pub(super) fn free_at(&self, at: u64) -> usize {
        let free = self.lanes.iter().position(|lane| lane.latest() <= at);
        free.unwrap_or(self.lanes.len())
    }

    /// The lane with that number, made when it is the next; `None` when there are too many.
    #[inline]
    pub(super) fn lane(
        &mut self,
        lane: usize,
        wire: &mut Wire,
        ids: &mut Ids,
        clock: &Clock,
    ) -> Option<&mut Sequence> {
        if lane >= MAX_LANES {
            return None;
        }
        if lane == self.lanes.len() {
            self.add_lane(wire, ids, clock);
        }
        self.lanes.get_mut(lane)
    }

    #[cold]
    fn add_lane(&mut self, wire: &mut Wire, ids: &mut Ids, clock: &Clock) {
        let (track, id) = match self.lanes.is_empty() {
            true => (self.track, self.first_sequence),
            false => {
                let track = ids.next_track();
                descriptor(wire, ids, track, &self.name, Some(self.track));
                (track, ids.next_sequence())
            }
        };
        self.lanes.push(Sequence::start(wire, id, track, clock));
    }
}

fn descriptor(wire: &mut Wire, ids: &mut Ids, track: u64, name: &str, parent: Option<u64>) {
    describe(wire, ids, |descriptor| {
        descriptor.uint(varint_key(1), track);
        descriptor.text(length_key(2), name);
        if let Some(parent) = parent {
            descriptor.uint(varint_key(5), parent);
        }
    });
}

fn process(wire: &mut Wire, ids: &mut Ids, track: u64, pid: u64, name: &str) {
    describe(wire, ids, |descriptor| {
        descriptor.uint(varint_key(1), track);
        descriptor.message(length_key(3), |process| {
            process.uint(varint_key(1), pid);
            process.text(length_key(6), name);
        });
    });
}

fn thread(
    wire: &mut Wire,
    ids: &mut Ids,
    track: u64,
    parent: u64,
    (pid, tid): (u64, u64),
    name: &str,
) {
    describe(wire, ids, |descriptor| {
        descriptor.uint(varint_key(1), track);
        descriptor.uint(varint_key(5), parent);
        descriptor.message(length_key(4), |thread| {
            thread.uint(varint_key(1), pid);
            thread.uint(varint_key(2), tid);
            thread.text(length_key(5), name);
        });
    });
}

fn describe(wire: &mut Wire, ids: &mut Ids, fill: impl FnOnce(&mut Wire)) {
    let begin = wire.len();
    wire.message(length_key(1), |packet| {
        packet.uint(varint_key(10), PLAIN_SEQUENCE);
        packet.message(length_key(60), fill);
    });
    ids.described.extend_from_slice(&wire.bytes()[begin..]);
}
