//! Faults of shared lines: slots that go wrong, invalidations that do nothing, words stored wrong.
//!
//! # Where it sits
//!
//! [`crate::interface`] asks here at every clean of a core, every invalidation and every store of an
//! AICPU thread, while a fault is armed; [`place`] knows which line is what.
//!
//! # Ordering
//!
//! What strikes where follows from the settings, the seed and the order of the calls in virtual
//! time: one seed, one set of faults.

mod place;

use crate::agent::Agent;
use crate::cost::hash;
use crate::memory::{Line, Memory};
use lanescope_sim_wire::{
    Corrupt, CorruptWord, DeviceSettings, NoBuffer, StaleLine, StaleWords, Which,
};
use place::Places;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// The faults of a launch.
#[derive(Debug, Default)]
pub struct Faults {
    is_armed: Cell<bool>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    settings: DeviceSettings,
    places: Places,
    /// Slots that reach memory when their core cleans its next line, by physical core.
    late: HashMap<usize, (u64, Line)>,
    /// Stores of the word to corrupt so far, by lane or core.
    stores: HashMap<u32, u64>,
    invalidations: u64,
}

/// What becomes of a line that a core cleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Whole,
    Late,
    Torn,
    Lost,
}

impl Faults {
    /// Takes the settings of a launch whose control region is at `control_address`.
    pub fn begin_launch(&self, settings: &DeviceSettings, memory: &Memory, control_address: u64) {
        let DeviceSettings {
            late_slot,
            torn_slot,
            lost_slot,
            stale_line,
            corrupt,
            no_buffer,
            ..
        } = settings;
        let slots = [late_slot, torn_slot, lost_slot];
        let any_slot = slots.iter().any(|which| which.is_some());
        let is_armed = any_slot || stale_line.is_some() || corrupt.is_some();
        self.is_armed.set(is_armed);
        let places = if is_armed || no_buffer.is_some() {
            Places::read(memory, control_address).unwrap_or_default()
        } else {
            Places::default()
        };
        *self.state.borrow_mut() = State {
            settings: settings.clone(),
            places,
            ..State::default()
        };
    }

    /// Whether any call of the device interface may meet a fault.
    #[inline]
    pub fn are_armed(&self) -> bool {
        self.is_armed.get()
    }

    /// A core cleans a dirty line that holds `words`. Returns what reaches memory now, in order: a
    /// slot that was late, then this line, as far as it does.
    #[cold]
    pub fn cleaned(
        &self,
        agent: &Agent,
        line: u64,
        words: Line,
        memory: &Memory,
    ) -> Vec<(u64, Line)> {
        let state = &mut *self.state.borrow_mut();
        let core = agent.physical.get();
        let mut reached = Vec::new();
        if let Some((late, words)) = state.late.remove(&core)
            && late != line
        {
            reached.push((late, words));
        }
        match state.fate(line, &words) {
            Fate::Whole => reached.push((line, words)),
            Fate::Lost => {}
            Fate::Late => {
                state.late.insert(core, (line, words));
            }
            Fate::Torn => {
                let before = memory.read_line(line).unwrap_or(words);
                reached.push((line, state.tear(line, &before, &words)));
            }
        }
        reached
    }

    /// Whether an invalidation of this line does nothing.
    #[cold]
    pub fn keeps(&self, agent: &Agent, line: u64) -> bool {
        self.state.borrow_mut().keeps(agent, line)
    }

    /// What an AICPU thread stores when it stores `value`.
    #[cold]
    pub fn stored(&self, address: u64, value: u64, memory: &Memory) -> u64 {
        self.state.borrow_mut().stored(address, value, memory)
    }

    /// How many buffers the host returns to the lane with this free tail; `None` is all of them.
    #[must_use]
    pub fn buffers_returned(&self, free_tail: u64) -> Option<u32> {
        let state = self.state.borrow();
        let NoBuffer { lane, after } = state.settings.no_buffer?;
        let is_this = lane.is_none() || lane == state.places.host_line(free_tail);
        is_this.then_some(after)
    }
}

impl State {
    fn fate(&self, line: u64, words: &Line) -> Fate {
        let Some(core) = self.places.slot(line) else {
            return Fate::Whole;
        };
        let token = low(words[0]);
        let strikes = |which: Option<Which>, purpose: u64| {
            which.is_some_and(|which| match which {
                Which::All => true,
                Which::Core(struck) => struck == core,
                Which::Token(struck, of) => (struck, of) == (core, token),
                Which::OneIn(number) => {
                    let labels = [purpose, core.into(), token.into()];
                    hash(self.settings.seed, &labels).is_multiple_of(number)
                }
            })
        };
        if strikes(self.settings.lost_slot, 0) {
            Fate::Lost
        } else if strikes(self.settings.torn_slot, 1) {
            Fate::Torn
        } else if strikes(self.settings.late_slot, 2) {
            Fate::Late
        } else {
            Fate::Whole
        }
    }

    /// A line of which only the first words, or only the last, have reached memory.
    fn tear(&self, line: u64, before: &Line, words: &Line) -> Line {
        let (at, is_front) = match self.settings.seed {
            0 => (4, true),
            seed => {
                let draw = hash(seed, &[line, words[0]]);
                (1 + draw % 7, draw >> 32 & 1 == 0)
            }
        };
        let places = 0u64..;
        let mut torn = *before;
        for ((torn, word), place) in torn.iter_mut().zip(words).zip(places) {
            if (place < at) == is_front {
                *torn = *word;
            }
        }
        torn
    }

    fn keeps(&mut self, agent: &Agent, line: u64) -> bool {
        let Some(StaleLine { words, which }) = self.settings.stale_line else {
            return false;
        };
        let is_read_by_thread = matches!(
            words,
            StaleWords::Slot | StaleWords::Answer | StaleWords::Host
        );
        if agent.is_thread.get() != is_read_by_thread {
            return false;
        }
        let Some(index) = self.places.stale(words, line) else {
            return false;
        };
        self.invalidations += 1;
        match which {
            Which::All => true,
            Which::Core(core) | Which::Token(core, _) => core == index,
            Which::OneIn(number) => {
                let labels = [3, index.into(), self.invalidations];
                hash(self.settings.seed, &labels).is_multiple_of(number)
            }
        }
    }

    fn stored(&mut self, address: u64, value: u64, memory: &Memory) -> u64 {
        let Some(Corrupt { word, index, from }) = self.settings.corrupt else {
            return value;
        };
        let Some(of) = self.places.corrupt(word, address) else {
            return value;
        };
        if index.is_some_and(|index| index != of) {
            return value;
        }
        // The mark in front of a payload has no checksum yet.
        if word == CorruptWord::Payload && value == 0 {
            return value;
        }
        let stores = self.stores.entry(of).or_insert(0);
        *stores += 1;
        if *stores < from {
            return value;
        }
        if word == CorruptWord::Payload {
            self.overwrite(address, of, memory);
            return value;
        }
        let (first, bits) = match word {
            CorruptWord::ReadyTail | CorruptWord::FreeHead | CorruptWord::EntryBuffer => (0, 32),
            CorruptWord::EntryCount => (32, 32),
            _ => (0, 64),
        };
        let bit = match self.settings.seed {
            0 => 30,
            seed => hash(seed, &[4, of.into()]) % bits,
        };
        value ^ 1 << (first + bit)
    }

    /// Flips a bit of the first byte in the line in front of a mark: that byte is payload.
    fn overwrite(&self, mark_address: u64, lane: u32, memory: &Memory) {
        let bit = match self.settings.seed {
            0 => 6,
            seed => hash(seed, &[5, mark_address]) % 8,
        };
        let line = self.places.line_before(lane, mark_address);
        if let Some(word) = line.and_then(|line| memory.word64(line)) {
            word.fetch_xor(1 << bit, Ordering::Release);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
const fn low(word: u64) -> u32 {
    word as u32
}
