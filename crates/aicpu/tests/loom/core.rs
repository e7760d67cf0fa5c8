//! A core under the model checker: `crates/aicore/cpp/aicore.cpp`, step by step, in Rust.
//!
//! C++ cannot run under the checker. `publish` is the crate's own; the rest is written again here,
//! with the same accesses and barriers in the same order.
//!
//! # Ordering
//!
//! An AICore does its accesses in order; what can be old is its copy of a line. So forgetting that
//! copy is an acquire fence here. A line that is cleaned arrives word by word.

use crate::support::Model;
use lanescope_abi::control::{CoreAnswer, CoreOrder, DeviceError, Payload, Phase};
use lanescope_abi::token::{COND_EXITED, COND_FIN, COND_IDLE, DISPATCH_EXIT};
use lanescope_abi::{ABI_HASH, Barrier, CoreType, Device, Token, is_mutant};
use lanescope_aicore::{Counters, Times, publish, publish_counted};
use loom::sync::atomic::{Ordering, fence};
use std::mem::offset_of;

/// A kernel that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    pub token: u32,
    pub task_id: u64,
}

/// What the counters of core 0 say of the task with this token.
pub fn counted(token: u32) -> Counters {
    Counters {
        total_cycles: u64::from(token) << 32 | 9,
        values: std::array::from_fn(|counter| token * 16 + u32::try_from(counter).unwrap()),
    }
}

/// Core 0 of a launch.
#[derive(Debug)]
pub struct Core<'a> {
    model: &'a Model,
    error: DeviceError,
    last_token: u32,
    has_answered: bool,
    ran: Vec<Ran>,
}

impl<'a> Core<'a> {
    /// Takes part in the launch until it is told to leave; what it ran, in order.
    pub fn run(model: &'a Model) -> Vec<Ran> {
        let mut core = Self {
            model,
            error: DeviceError::None,
            last_token: 0,
            has_answered: false,
            ran: Vec::new(),
        };
        let is_open = core.take_part().is_some();
        let is_done = core.error == DeviceError::None;
        core.write_answer(if is_done { Phase::Done } else { Phase::Failed }, true);
        if is_open {
            model.write_cond(COND_EXITED);
        }
        core.ran
    }

    /// Handshake, then tokens until EXIT; `None` when the run was aborted before.
    fn take_part(&mut self) -> Option<()> {
        self.await_order(offset_of!(CoreOrder, ready_run))?;
        let first = self.order32(offset_of!(CoreOrder, first_token));
        let level = self.order32(offset_of!(CoreOrder, swimlane_level));
        let payloads = self.order64(offset_of!(CoreOrder, payload_address));
        let ring = self.order64(offset_of!(CoreOrder, staging_address));
        let staging = if level == 0 { 0 } else { ring };
        let slot_lines = self.order32(offset_of!(CoreOrder, slot_lines));
        self.write_answer(Phase::Handshake, false);
        self.await_order(offset_of!(CoreOrder, registers_run))?;
        self.write_answer(Phase::Running, false);
        self.model.write_cond(COND_IDLE);
        let mut token = Token::new(first).expect("a stale order line");
        while self.await_token(token) {
            self.last_token = token.raw();
            self.run_task(token, payloads, staging, slot_lines);
            token = token.next();
        }
        Some(())
    }

    fn await_order(&mut self, field: usize) -> Option<()> {
        loop {
            if self.order32(field) == self.model.header.run_id {
                self.model.barrier(Barrier::Load);
                return Some(());
            }
            // SAFETY: the host's word.
            if unsafe { self.model.load32(self.model.abort()) } == self.model.header.run_id {
                self.error = DeviceError::Aborted;
                return None;
            }
            loom::thread::yield_now();
        }
    }

    fn await_token(&self, token: Token) -> bool {
        loop {
            let seen = self.model.data_main_base();
            if seen == DISPATCH_EXIT {
                return false;
            }
            let newest = Token::new(seen);
            let ring_size = self.model.header.ring_size;
            if newest.is_some_and(|newest| token.distance_to(newest) < ring_size) {
                return true;
            }
            loom::thread::yield_now();
        }
    }

    fn run_task(&mut self, token: Token, payloads: u64, staging: u64, slot_lines: u32) {
        let (model, run_id) = (self.model, self.model.header.run_id);
        let raw = u64::from(token.raw());
        model.write_cond(token.raw());
        let payload = payloads + u64::from(token.slot(model.header.ring_size)) * 64;
        fence(Ordering::Acquire);
        let load = |field: usize| {
            // SAFETY: a word of the payload.
            unsafe { model.load64(payload + field as u64) }
        };
        assert_eq!(
            load(offset_of!(Payload, arg_count)) >> 32,
            raw,
            "a stale payload"
        );
        let task_id = load(offset_of!(Payload, task_id));
        let ran = Ran {
            token: token.raw(),
            task_id,
        };
        self.ran.push(ran);
        if staging == 0 {
            model.barrier(Barrier::Store);
        } else {
            let times = Times {
                receive: raw + 1,
                start: raw + 2,
                end: raw + 3,
            };
            let ring_size = model.header.ring_size;
            if slot_lines == 2 {
                let counters = counted(token.raw());
                let times = Some(&times);
                // SAFETY: the ring is the core's own.
                unsafe {
                    publish_counted(model, staging, ring_size, token, run_id, times, &counters);
                }
            } else {
                // SAFETY: the ring is the core's own.
                unsafe { publish(model, staging, ring_size, token, run_id, &times) };
            }
        }
        model.write_cond(COND_FIN | token.raw());
    }

    fn write_answer(&mut self, phase: Phase, has_left: bool) {
        let (model, run_id) = (self.model, self.model.header.run_id);
        let store = |field: usize, value: u32| {
            // SAFETY: the answer line is the core's own.
            unsafe { model.store32(model.answer(field), value) };
        };
        // Nobody can tell a word that is written again from one that is left as it is.
        if !self.has_answered {
            store(offset_of!(CoreAnswer, physical_core), 0);
            store(offset_of!(CoreAnswer, core_type), CoreType::Aic as u32);
            store(offset_of!(CoreAnswer, ring_size), model.header.ring_size);
            // SAFETY: a word of the answer line, which is the core's own.
            unsafe { model.store64(model.answer(offset_of!(CoreAnswer, abi_hash)), ABI_HASH) };
            self.has_answered = true;
        }
        store(offset_of!(CoreAnswer, phase), phase as u32);
        store(offset_of!(CoreAnswer, error), self.error as u32);
        store(offset_of!(CoreAnswer, token), self.last_token);
        if !is_mutant("answer-in-one-piece") {
            model.barrier(Barrier::Store);
        }
        if has_left {
            store(offset_of!(CoreAnswer, exited_run), run_id);
        }
        store(offset_of!(CoreAnswer, answer_run), run_id);
        model.barrier(Barrier::Store);
    }

    fn order32(&self, field: usize) -> u32 {
        // SAFETY: a word of the order line.
        unsafe { self.model.load32(self.model.order(field)) }
    }

    fn order64(&self, field: usize) -> u64 {
        // SAFETY: a word of the order line.
        unsafe { self.model.load64(self.model.order(field)) }
    }
}
