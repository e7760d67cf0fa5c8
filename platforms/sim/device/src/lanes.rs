//! Buffers that the host returns: the host's speed costs no virtual time.
//!
//! # Where it sits
//!
//! A lane is known from the first wait for one of its buffers, by the address of its free tail
//! (the host's word) and of its ready tail (the device's).
//!
//! # Ordering
//!
//! Without the fault `late-host`, a wait stops the whole engine until the host has returned a
//! buffer, and the device then sees one buffer more than the waiter had seen (or those that were
//! there when the lane became known), however many the host has returned: so the timeline does not
//! depend on the host. With it, the k-th buffer
//! returned since the lane became known is visible exactly the asked time after the lane's k-th
//! ready entry since then; the engine stops only when that moment has come and the host has not.
//!
//! Room in an arena is asked for by the byte that the host must have reached: the engine stops until
//! it has. With `late-host` that byte, and no other, is visible the asked time after it was first asked
//! for; what a device asks for first, when it attaches, it has already.
//!
//! # What can be lost
//!
//! A host that returns nothing for its patience ([`HOST_PATIENCE`] by default) is taken as gone: its lane is not waited for
//! again until its tail moves.

use crate::agent::Agent;
use crate::clock::{grains_of_us, later};
use crate::engine::Engine;
use crate::memory::LINE_BYTES;
use lanescope_abi::AwaitedWord;
use lanescope_sim_wire::{DeviceSettings, NoBuffer};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long the host may take, in wall time, unless `host-patience` says otherwise.
pub const HOST_PATIENCE: Duration = Duration::from_secs(10);

/// A tail that is further ahead than this is no tail; the device gets to see it as it is.
const MOST_BUFFERS: u32 = 1 << 20;

/// What settings say of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFaults {
    /// `late-host`, in grains.
    pub late: Option<u64>,
    /// `no-buffer`; see [`crate::fault`] for the lane.
    pub no_buffer: Option<NoBuffer>,
    /// `host-patience`: how long the host may take, in wall time.
    pub patience: Duration,
}

impl HostFaults {
    /// Those of some settings.
    #[must_use]
    pub fn new(settings: &DeviceSettings) -> Self {
        Self {
            late: settings.late_host_us.map(grains_of_us),
            no_buffer: settings.no_buffer,
            patience: settings
                .host_patience_ms
                .map_or(HOST_PATIENCE, Duration::from_millis),
        }
    }
}

impl Default for HostFaults {
    fn default() -> Self {
        Self::new(&DeviceSettings::default())
    }
}

/// How a wait for a buffer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferWait {
    /// There is one.
    Here,
    /// There is one from that time on.
    At(u64),
    /// None is on its way.
    Unknown,
}

/// All lanes that are known.
#[derive(Debug, Default)]
pub struct Lanes {
    faults: HostFaults,
    lanes: Vec<Lane>,
    rooms: Vec<Room>,
    /// First and last line that holds a free tail or the head of an arena.
    free_lines: (u64, u64),
}

/// Room in an arena, as a device asks for it.
#[derive(Debug)]
struct Room {
    head: u64,
    /// The head that the device has for certain: what it asked for first, when it attached.
    granted: u32,
    /// Heads that were asked for since, each further than the one before, and when.
    asked: Vec<(u32, u64)>,
    /// The head when the host was given up.
    given_up_at: Cell<Option<u32>>,
}

/// Whether a head that runs free has reached a place.
fn is_reached(head: u32, place: u32) -> bool {
    head.wrapping_sub(place) <= u32::MAX / 2
}

impl Room {
    /// Notes that the head is to reach a place.
    fn ask(&mut self, place: u32, now: u64) {
        let last = self.asked.last().map_or(self.granted, |last| last.0);
        if !is_reached(last, place) {
            self.asked.push((place, now));
        }
    }

    /// The head as a device finds it whose host is late.
    fn delayed_head(&self, delay: u64, now: u64) -> u32 {
        let arrived = self
            .asked
            .partition_point(|(_, since)| later(*since, delay) <= now);
        match arrived.checked_sub(1) {
            Some(last) => self.asked[last].0,
            None => self.granted,
        }
    }

    /// When a device whose host is late finds that the head has reached a place that was asked for.
    fn arrival(&self, place: u32, delay: u64) -> u64 {
        let ask = self
            .asked
            .iter()
            .find(|(asked, _)| is_reached(*asked, place));
        ask.map_or(0, |(_, since)| later(*since, delay))
    }
}

/// One lane.
#[derive(Debug)]
struct Lane {
    free_tail: u64,
    ready_tail: u64,
    /// Most buffers that the host returns, for the fault `no-buffer`.
    most_returned: Option<u32>,
    /// What the device sees as free tail (without `late-host`).
    visible: u32,
    /// What both tails were when the lane became known.
    first_free_tail: u32,
    last_ready_tail: u32,
    /// When each ready entry since then was published.
    ready_times: Vec<u64>,
    /// The free tail when the host was given up.
    given_up_at: Cell<Option<u32>>,
}

impl Lanes {
    /// Starts a launch: lanes become known again, except that a delay goes on across launches.
    pub fn begin_launch(&mut self, faults: HostFaults, raw_word: impl Fn(u64) -> Option<u32>) {
        let goes_on = faults.late.is_some() && faults == self.faults;
        self.faults = faults;
        self.rooms.clear();
        self.lanes
            .retain(|lane| goes_on && raw_word(lane.ready_tail) == Some(lane.last_ready_tail));
    }

    /// Whether the line may hold a free tail.
    #[must_use]
    #[inline]
    pub fn may_cover(&self, line: u64) -> bool {
        let is_empty = self.lanes.is_empty() && self.rooms.is_empty();
        !is_empty && line >= self.free_lines.0 && line <= self.free_lines.1
    }

    /// Notes that the line of `address` holds a word of the host.
    fn cover(&mut self, address: u64) {
        let line = address & !(LINE_BYTES - 1);
        self.free_lines = if self.lanes.is_empty() && self.rooms.is_empty() {
            (line, line)
        } else {
            (self.free_lines.0.min(line), self.free_lines.1.max(line))
        };
    }

    /// The arena whose head a word is, which is asked to reach what the word says.
    fn ask(&mut self, word: &AwaitedWord, now: u64) -> &Room {
        let known = self.rooms.iter().position(|room| room.head == word.address);
        let index = known.unwrap_or_else(|| {
            self.cover(word.address);
            self.rooms.push(Room {
                head: word.address,
                granted: word.seen,
                asked: Vec::new(),
                given_up_at: Cell::new(None),
            });
            self.rooms.len() - 1
        });
        let room = &mut self.rooms[index];
        room.ask(word.seen, now);
        room
    }

    fn find_or_insert(
        &mut self,
        word: &AwaitedWord,
        free_tail: u32,
        ready_tail: u32,
        most_returned: impl FnOnce() -> Option<u32>,
    ) -> &mut Lane {
        let known = self
            .lanes
            .iter()
            .position(|lane| lane.free_tail == word.address);
        let index = known.unwrap_or_else(|| {
            self.cover(word.address);
            self.lanes.push(Lane {
                free_tail: word.address,
                ready_tail: word.pair_address,
                most_returned: most_returned(),
                visible: free_tail,
                first_free_tail: free_tail,
                last_ready_tail: ready_tail,
                ready_times: Vec::new(),
                given_up_at: Cell::new(None),
            });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }
}

impl Lane {
    /// The free tail the device sees at `now` when buffers come back `delay` late.
    fn delayed_tail(&self, delay: u64, now: u64) -> u32 {
        let visible = self
            .ready_times
            .partition_point(|time| later(*time, delay) <= now);
        let visible = u32::try_from(visible).unwrap_or(u32::MAX);
        let most = self.most_returned.unwrap_or(u32::MAX);
        self.first_free_tail.wrapping_add(visible.min(most))
    }

    /// Whether the host returns nothing more to a device that has seen this free tail.
    fn is_dry(&self, seen: u32) -> bool {
        let is_last = |most| seen == self.first_free_tail.wrapping_add(most);
        self.most_returned.is_some_and(is_last)
    }
}

impl Engine {
    /// One step of a wait for a buffer.
    pub fn await_buffer(&self, agent: &Agent, word: &AwaitedWord, now: u64) -> BufferWait {
        let (Some(free_tail), Some(ready_tail)) = (
            self.raw_word(word.address),
            self.raw_word(word.pair_address),
        ) else {
            let AwaitedWord {
                address,
                pair_address,
                ..
            } = word;
            self.fail(
                agent,
                format!(
                    "awaited a buffer with tails at {address:#x} and {pair_address:#x}, \
                     which are not both device memory"
                ),
            )
        };
        let mut lanes = self.lanes.borrow_mut();
        let HostFaults { late, patience, .. } = lanes.faults;
        let most_returned = || self.faults.buffers_returned(word.address);
        let lane = lanes.find_or_insert(word, free_tail, ready_tail, most_returned);
        if lane.is_dry(word.seen) {
            return BufferWait::Unknown;
        }
        let Some(delay) = late else {
            let arrived = |tail| tail != word.seen;
            let tail = self.await_host(lane.free_tail, &lane.given_up_at, patience, arrived);
            let ahead = tail.wrapping_sub(word.seen);
            let next = word.seen.wrapping_add(ahead.min(1));
            // A tail never goes back: the buffers that the device found when it attached stay.
            let is_ahead = next.wrapping_sub(lane.visible) <= MOST_BUFFERS;
            if ahead > MOST_BUFFERS {
                lane.visible = tail;
            } else if is_ahead {
                lane.visible = next;
            }
            return if ahead == 0 {
                BufferWait::Unknown
            } else {
                BufferWait::Here
            };
        };
        if lane.delayed_tail(delay, now) != word.seen {
            return BufferWait::Here;
        }
        let returned = word.seen.wrapping_sub(lane.first_free_tail) as usize;
        match lane.ready_times.get(returned) {
            Some(time) => BufferWait::At(later(*time, delay)),
            None => BufferWait::Unknown,
        }
    }

    /// One step of a wait for room in an arena.
    pub fn await_room(&self, agent: &Agent, word: &AwaitedWord, now: u64) -> BufferWait {
        let address = word.address;
        if self.raw_word(address).is_none() || !address.is_multiple_of(8) {
            self.fail(
                agent,
                format!("awaited room with a head at {address:#x}, which is not device memory"),
            );
        }
        let mut lanes = self.lanes.borrow_mut();
        let HostFaults { late, patience, .. } = lanes.faults;
        let room = lanes.ask(word, now);
        if let Some(delay) = late {
            let arrival = room.arrival(word.seen, delay);
            if arrival > now {
                return BufferWait::At(arrival);
            }
        }
        let arrived = |head| is_reached(head, word.seen);
        let head = self.await_host(address, &room.given_up_at, patience, arrived);
        if arrived(head) {
            BufferWait::Here
        } else {
            BufferWait::Unknown
        }
    }

    /// An 8-byte word of memory as the AICPU finds it: free tails as they are visible.
    #[cold]
    pub fn word_with_lanes(&self, agent: &Agent, address: u64, word: u64) -> u64 {
        let lanes = self.lanes.borrow();
        let mut word = word;
        for lane in lanes
            .lanes
            .iter()
            .filter(|lane| lane.free_tail & !7 == address)
        {
            let tail = match lanes.faults.late {
                None => lane.visible,
                Some(delay) => {
                    let visible = lane.delayed_tail(delay, agent.clock.get());
                    let arrived = |tail: u32| tail.wrapping_sub(visible) <= MOST_BUFFERS;
                    let patience = lanes.faults.patience;
                    let tail =
                        self.await_host(lane.free_tail, &lane.given_up_at, patience, arrived);
                    if arrived(tail) { visible } else { tail }
                }
            };
            let shift = 8 * (lane.free_tail & 4);
            word = word & !(0xFFFF_FFFF << shift) | u64::from(tail) << shift;
        }
        if let Some(delay) = lanes.faults.late
            && let Some(room) = lanes.rooms.iter().find(|room| room.head == address)
        {
            let visible = room.delayed_head(delay, agent.clock.get());
            let patience = lanes.faults.patience;
            let arrived = |head| is_reached(head, visible);
            let head = self.await_host(address, &room.given_up_at, patience, arrived);
            if arrived(head) {
                let high = self.raw_word(address + 4).unwrap_or(0);
                let seen = u64::from(high) << 32 | u64::from(head);
                word = seen.wrapping_sub(head.wrapping_sub(visible).into());
            }
        }
        word
    }

    /// Notes when an AICPU thread publishes a ready entry.
    #[inline]
    pub fn note_ready_tail(&self, agent: &Agent, address: u64, value: u32) {
        if self.lanes.borrow().faults.late.is_some() {
            self.note_delayed_ready_tail(agent, address, value);
        }
    }

    #[cold]
    fn note_delayed_ready_tail(&self, agent: &Agent, address: u64, value: u32) {
        let mut lanes = self.lanes.borrow_mut();
        for lane in &mut lanes.lanes {
            let entries = value.wrapping_sub(lane.last_ready_tail);
            if lane.ready_tail == address && entries <= MOST_BUFFERS {
                let now = agent.clock.get();
                lane.ready_times.extend((0..entries).map(|_| now));
                lane.last_ready_tail = value;
            }
        }
    }

    /// Stops the engine until the host has moved its word to where `arrived` says yes; returns the
    /// word, also when the host took too long.
    fn await_host(
        &self,
        address: u64,
        given_up_at: &Cell<Option<u32>>,
        patience: Duration,
        arrived: impl Fn(u32) -> bool,
    ) -> u32 {
        let tail = || self.raw_word(address).unwrap_or(0);
        let mut now = tail();
        if arrived(now) || given_up_at.get() == Some(now) {
            return now;
        }
        let _waiting = self.progress.wait_for_host();
        let begin = Instant::now();
        let mut turns = 0u32;
        while !arrived(now) {
            if begin.elapsed() > patience {
                given_up_at.set(Some(now));
                return now;
            }
            pause(turns);
            turns = turns.saturating_add(1);
            now = tail();
        }
        given_up_at.set(None);
        now
    }
}

/// Waits a moment: spins first, then yields the CPU, then sleeps, longer and longer.
pub fn pause(turns: u32) {
    match turns {
        0..64 => std::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(u64::from(turns.min(1000) / 10))),
    }
}
