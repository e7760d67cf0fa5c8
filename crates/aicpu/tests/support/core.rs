//! A core: what the AICore program does, one step at a time.

use super::memory::{Memory, View};
use lanescope_abi::control::{ControlHeader, CoreAnswer, CoreOrder, DeviceError, Payload, Phase};
use lanescope_abi::record::PMU_COUNTERS;
use lanescope_abi::token::{COND_EXITED, COND_FIN, COND_IDLE, DISPATCH_EXIT};
use lanescope_abi::{ABI_HASH, CoreType, PmuSlot, TaskSlot, Token};
use std::mem::offset_of;

/// What a core does wrong, at its n-th token of the run where a number is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Never answers the handshake.
    Dead,
    /// Begins the token and never ends it.
    Hang(u32),
    /// Says FIN without publishing.
    Unpublished(u32),
    /// Publishes a line whose seal is old.
    Torn(u32),
    /// Publishes with another run's number.
    WrongRun(u32),
    /// Writes this into COND instead of FIN, and takes no token any more.
    Cond(u32, u32),
    /// Leaves with an error instead of running it.
    Quits(u32),
    /// Answers with this physical core.
    Answer(u32),
    /// Was built with another ring size.
    RingSize(u32),
    /// Leaves with an error instead of answering.
    Leaves,
    /// Answers, then does nothing any more: COND stays as it was.
    Silent,
    /// Runs every token, and never leaves.
    Stays,
}

/// A kernel that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    pub task_id: u64,
    pub core: u32,
    pub token: u32,
    pub begin: u64,
    pub end: u64,
}

#[derive(Debug)]
enum State {
    Ready,
    Registers,
    Tokens,
    Left,
}

#[derive(Debug)]
pub struct SimCore {
    pub index: u32,
    pub physical_core: u32,
    pub core_type: CoreType,
    pub fault: Fault,
    pub ran: Vec<Ran>,
    header: ControlHeader,
    control: u64,
    view: View,
    state: State,
    next: Token,
    staging: u64,
    payloads: u64,
    /// Receive and start ticks of the token that runs.
    running: Option<(u64, u64)>,
    begun: u32,
    last: u32,
    slot_lines: u64,
    pmu_event: u32,
    /// Address of a word that every kernel adds one to.
    pub bumps: Option<u64>,
}

/// Counters of a task, and its cycles: what its kernel counts on any core.
pub fn counted(task_id: u64) -> ([u32; PMU_COUNTERS], u64) {
    let base = u32::try_from(task_id).unwrap() * 100;
    let counters = std::array::from_fn(|counter| base + u32::try_from(counter).unwrap() + 1);
    (counters, task_id << 33 | 5)
}

impl SimCore {
    pub fn new(index: u32, core_type: CoreType, control: u64, header: ControlHeader) -> Self {
        Self {
            index,
            physical_core: index,
            core_type,
            fault: Fault::None,
            ran: Vec::new(),
            header,
            control,
            view: View::default(),
            state: State::Ready,
            next: Token::FIRST,
            staging: 0,
            payloads: 0,
            running: None,
            begun: 0,
            last: 0,
            slot_lines: 1,
            pmu_event: 0,
            bumps: None,
        }
    }

    /// Whether the gate is opened for kernels.
    pub fn is_counted(&self) -> bool {
        self.pmu_event != 0
    }

    /// Begins another run of the same device.
    pub fn restart(&mut self, header: ControlHeader) {
        self.header = header;
        self.state = State::Ready;
        self.begun = 0;
        self.last = 0;
    }

    pub fn has_left(&self) -> bool {
        matches!(self.state, State::Left)
    }

    /// Takes one step; the new value of COND, if it writes it.
    pub fn step(&mut self, memory: &Memory, data_main_base: u32, now: u64) -> Option<u32> {
        let order = self.control + self.header.orders.at(self.index);
        let run_id = self.header.run_id;
        match self.state {
            State::Ready => {
                self.view.invalidate(order);
                let ready_run = self.order32(memory, order, offset_of!(CoreOrder, ready_run));
                if ready_run != run_id || self.fault == Fault::Dead {
                    return None;
                }
                let first = self.order32(memory, order, offset_of!(CoreOrder, first_token));
                // A hostile header may lay sections over one another.
                self.next = Token::new(first)?;
                let address = |field: usize| order + field as u64;
                let staging = address(offset_of!(CoreOrder, staging_address));
                self.staging = self.view.load64(memory, staging);
                let payloads = address(offset_of!(CoreOrder, payload_address));
                self.payloads = self.view.load64(memory, payloads);
                let lines = self.order32(memory, order, offset_of!(CoreOrder, slot_lines));
                self.slot_lines = u64::from(lines);
                self.pmu_event = self.order32(memory, order, offset_of!(CoreOrder, pmu_event));
                let ring_bytes = u64::from(self.header.ring_size) * 64 * self.slot_lines;
                let is_usable = |ring| memory.holds(ring, ring_bytes);
                if !is_usable(self.payloads) || self.staging != 0 && !is_usable(self.staging) {
                    return None;
                }
                if self.fault == Fault::Leaves {
                    self.answer(memory, DeviceError::HandshakeTimeout, true);
                    self.state = State::Left;
                    return None;
                }
                self.answer(memory, DeviceError::None, false);
                self.state = State::Registers;
                None
            }
            State::Registers => {
                self.view.invalidate(order);
                let run = self.order32(memory, order, offset_of!(CoreOrder, registers_run));
                if run != run_id || self.fault == Fault::Silent {
                    return None;
                }
                self.state = State::Tokens;
                Some(COND_IDLE)
            }
            State::Tokens => self.step_token(memory, data_main_base, now),
            State::Left => None,
        }
    }

    fn step_token(&mut self, memory: &Memory, data_main_base: u32, now: u64) -> Option<u32> {
        let ring_size = self.header.ring_size;
        let token = self.next;
        let payload = self.payloads + u64::from(token.slot(ring_size)) * 64;
        if let Some((receive, start)) = self.running {
            if self.fault == Fault::Hang(self.begun) {
                return None;
            }
            self.running = None;
            let task = self.payload64(memory, payload, offset_of!(Payload, task_id));
            self.ran.push(Ran {
                task_id: task,
                core: self.index,
                token: token.raw(),
                begin: start,
                end: now,
            });
            if let Some(bumps) = self.bumps {
                self.view.invalidate(bumps);
                let word = self.view.load64(memory, bumps);
                self.view.store64(memory, bumps, word + 1);
                self.view.clean(memory, bumps);
            }
            self.publish(memory, token, receive, start, now);
            if self.slot_lines == 2 {
                self.publish_counters(memory, token, task);
            }
            self.next = token.next();
            return match self.fault {
                Fault::Cond(at, cond) if at == self.begun => Some(cond),
                _ => Some(COND_FIN | token.raw()),
            };
        }
        if data_main_base == DISPATCH_EXIT {
            if self.fault == Fault::Stays {
                return None;
            }
            self.answer(memory, DeviceError::None, true);
            self.state = State::Left;
            return Some(COND_EXITED);
        }
        if matches!(self.fault, Fault::Cond(at, _) if at == self.begun) {
            return None;
        }
        let newest = Token::new(data_main_base)?;
        if token.distance_to(newest) >= ring_size {
            return None;
        }
        self.view.invalidate(payload);
        let pair = self.payload64(memory, payload, offset_of!(Payload, arg_count));
        self.begun += 1;
        self.last = token.raw();
        if pair >> 32 != u64::from(token.raw()) || self.fault == Fault::Quits(self.begun) {
            self.answer(memory, DeviceError::Internal, true);
            self.state = State::Left;
            return Some(COND_EXITED);
        }
        self.running = Some((now, now));
        Some(token.raw())
    }

    fn publish(&mut self, memory: &Memory, token: Token, receive: u64, start: u64, end: u64) {
        let is_off = self.staging == 0 || self.header.swimlane_level == 0;
        if is_off || self.fault == Fault::Unpublished(self.begun) {
            return;
        }
        let slot =
            self.staging + u64::from(token.slot(self.header.ring_size)) * 64 * self.slot_lines;
        let run_id = match self.fault {
            Fault::WrongRun(at) if at == self.begun => self.header.run_id + 1,
            _ => self.header.run_id,
        };
        let first = u64::from(run_id) << 32 | u64::from(token.raw());
        let mut store = |field: usize, value: u64| {
            self.view.store64(memory, slot + field as u64, value);
        };
        store(offset_of!(TaskSlot, token), first);
        store(offset_of!(TaskSlot, receive_ticks), receive);
        store(offset_of!(TaskSlot, start_ticks), start);
        store(offset_of!(TaskSlot, end_ticks), end);
        if self.fault != Fault::Torn(self.begun) {
            store(offset_of!(TaskSlot, seal), u64::from(token.raw()));
        }
        self.view.clean(memory, slot);
    }

    fn publish_counters(&mut self, memory: &Memory, token: Token, task_id: u64) {
        if self.fault == Fault::Unpublished(self.begun) {
            return;
        }
        let line = self.staging + u64::from(token.slot(self.header.ring_size)) * 128 + 64;
        let (counters, total_cycles) = counted(task_id);
        let slot = PmuSlot {
            token: token.raw(),
            run_id: self.header.run_id,
            total_cycles,
            counters,
            seal: match self.fault {
                Fault::Torn(at) if at == self.begun => 0,
                _ => token.raw(),
            },
            reserved: 0,
        };
        let words: [u64; 8] = zerocopy::transmute!(slot);
        for (address, word) in (line..).step_by(8).zip(words) {
            self.view.store64(memory, address, word);
        }
        self.view.clean(memory, line);
    }

    fn answer(&mut self, memory: &Memory, error: DeviceError, has_left: bool) {
        let line = self.control + self.header.answers.at(self.index);
        let answer = CoreAnswer {
            answer_run: self.header.run_id,
            physical_core: match self.fault {
                Fault::Answer(physical_core) => physical_core,
                _ => self.physical_core,
            },
            core_type: self.core_type as u32,
            ring_size: match self.fault {
                Fault::RingSize(ring_size) => ring_size,
                _ => self.header.ring_size,
            },
            phase: Phase::Running as u32,
            error: error as u32,
            token: self.last,
            exited_run: if has_left { self.header.run_id } else { 0 },
            abi_hash: ABI_HASH,
            ..CoreAnswer::default()
        };
        let words: [u64; 8] = zerocopy::transmute!(answer);
        for (address, word) in (line..).step_by(8).zip(words) {
            self.view.store64(memory, address, word);
        }
        self.view.clean(memory, line);
    }

    fn order32(&mut self, memory: &Memory, order: u64, field: usize) -> u32 {
        self.view.load32(memory, order + field as u64)
    }

    fn payload64(&mut self, memory: &Memory, payload: u64, field: usize) -> u64 {
        self.view.load64(memory, payload + field as u64)
    }
}
