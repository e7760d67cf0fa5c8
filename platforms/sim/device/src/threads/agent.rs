//! An agent that is a thread, and what each call of the device interface does for it.

use super::board::Board;
use super::clock::SlowClock;
use super::crew::{Member, Outcome};
use super::disturbance::Disturbance;
use super::lines::Lines;
use super::stores::Stores;
use crate::agent::Identity;
use crate::cost::Random;
use crate::kernel::{Kernel, refuse_args};
use crate::loader::Loader;
use crate::memory::{LINE_BYTES, WordPart, half, line_of, with_half, words_over};
use crate::pmu::{Access, PmuRegister};
use crate::register_map::{RegisterName, RegisterPlace};
use crate::table::{Acting, table};
use lanescope_abi::{Awaited, Barrier, Checksum, DeviceTable};
use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

/// What programs are given in thread mode.
pub static TABLE: DeviceTable = table::<ThreadAgent>();

thread_local! {
    static AGENT: OnceCell<ThreadAgent> = const { OnceCell::new() };
}

/// The agent of one thread.
#[derive(Debug)]
pub struct ThreadAgent {
    board: &'static Board,
    clock: SlowClock,
    member: Arc<Member>,
    /// Its first kernel never ends.
    hangs: bool,
    disturbance: RefCell<Disturbance>,
    stores: RefCell<Stores>,
    /// A core's; an AICPU thread has none.
    lines: Option<RefCell<Lines>>,
    /// Kernels it has called, so that cores do not meet at a lock.
    kernels: RefCell<Vec<Kernel>>,
    /// Calls of `relax` since it last did anything but look.
    idle: Cell<u32>,
}

/// What an agent starts with.
#[derive(Debug)]
pub struct Beginning {
    /// What all agents share.
    pub board: &'static Board,
    /// The counter of this launch.
    pub clock: SlowClock,
    /// Its place in the crew.
    pub member: Arc<Member>,
    /// Its first kernel never ends.
    pub hangs: bool,
    /// What the seed does to it.
    pub disturbance: Disturbance,
}

impl ThreadAgent {
    /// Makes the calling thread an agent, which it stays, while `body` runs.
    pub fn live(beginning: Beginning, body: impl FnOnce() -> i32) -> i32 {
        let Beginning {
            board,
            clock,
            member,
            hangs,
            disturbance,
        } = beginning;
        let memory = board.loader.memory;
        let lines = member
            .physical()
            .map(|core| RefCell::new(Lines::new(memory, board.take_view(core))));
        let agent = Self {
            board,
            clock,
            member,
            hangs,
            disturbance: RefCell::new(disturbance),
            stores: RefCell::new(Stores::new(memory)),
            lines,
            kernels: RefCell::default(),
            idle: Cell::new(0),
        };
        AGENT.with(|current| {
            current
                .set(agent)
                .expect("a thread becomes an agent only once");
            let value = body();
            if let Some(agent) = current.get() {
                agent.leave();
            }
            value
        })
    }

    /// What it stored arrives; its lines stay with the core.
    fn leave(&self) {
        let mut disturbance = self.disturbance.borrow_mut();
        self.stores.borrow_mut().send_all(&mut disturbance);
        if let (Some(core), Some(lines)) = (self.member.physical(), &self.lines) {
            let memory = self.board.loader.memory;
            let lines = lines.replace(Lines::new(memory, Default::default()));
            self.board.put_view(core, lines.into_view());
        }
    }

    /// Every call begins here.
    #[inline]
    fn begin_call(&self) {
        if self.member.is_abandoned() {
            self.stop();
        }
        let mut disturbance = self.disturbance.borrow_mut();
        if disturbance.is_on() {
            disturbance.at_call();
            self.stores.borrow_mut().at_call(&mut disturbance);
        }
    }

    #[inline]
    fn load(&self, address: u64, bytes: u64) -> u64 {
        self.begin_call();
        let memory = &self.board.loader.memory;
        if !memory.has_word(address, bytes) {
            self.fail_access("loaded from", address, bytes);
        }
        let stores = &mut *self.stores.borrow_mut();
        let word = match &self.lines {
            Some(lines) => {
                let disturbance = &mut *self.disturbance.borrow_mut();
                lines.borrow_mut().load(disturbance, stores, address)
            }
            None => {
                stores.send_line(line_of(address));
                memory
                    .word64(address & !7)
                    .map(|word| word.load(Ordering::Relaxed))
            }
        };
        word.unwrap_or_else(|| self.fail_access("loaded from", address, bytes))
    }

    #[inline]
    fn begin_store(&self, address: u64, bytes: u64) {
        self.begin_call();
        self.idle.set(0);
        if !self.board.loader.memory.has_word(address, bytes) {
            self.fail_access("stored to", address, bytes);
        }
    }

    /// Copies, and returns what.
    fn copied(&self, to: u64, from: u64, bytes: u64) -> Vec<u8> {
        self.begin_call();
        self.idle.set(0);
        if !self.is_thread() {
            self.fail("copied; only AICPU threads copy".to_owned());
        }
        let memory = &self.board.loader.memory;
        for (what, address) in [("from", from), ("to", to)] {
            if !memory.contains(address, bytes) {
                self.fail(format!(
                    "copied {bytes} bytes {what} {address:#x}, which is not device memory"
                ));
            }
        }
        match bytes {
            0 => Vec::new(),
            _ => self.copy_bytes(to, from, bytes),
        }
    }

    /// Both ranges are device memory.
    fn copy_bytes(&self, to: u64, from: u64, bytes: u64) -> Vec<u8> {
        let memory = &self.board.loader.memory;
        let disturbance = &mut *self.disturbance.borrow_mut();
        let stores = &mut *self.stores.borrow_mut();
        // An agent sees its own stores.
        for range in [from..from + bytes, to..to + bytes] {
            for line in [range.start, range.end - 1] {
                stores.send_line(line_of(line));
            }
        }
        let copied = memory.copy(from, bytes).unwrap_or_default();
        for WordPart {
            address,
            value,
            mask,
        } in words_over(to, &copied)
        {
            let around = match mask {
                u64::MAX => 0,
                _ => {
                    memory
                        .word64(address)
                        .map_or(0, |word| word.load(Ordering::Relaxed))
                        & !mask
                }
            };
            stores.store64(disturbance, address, around | value);
        }
        copied
    }

    fn place(&self, verb: &str, address: u64) -> RegisterPlace {
        let map = &self.board.map;
        let place = match self.member.physical() {
            Some(core) => map.own_place(core, address),
            None => map.place(address),
        };
        place.unwrap_or_else(|| {
            self.fail(format!(
                "{verb} a register at {address:#x}, where there is none"
            ))
        })
    }

    fn check_pmu(&self, register: PmuRegister, access: Access) {
        let map = &self.board.map;
        if let Some(text) = map.refuse_pmu(register, self.is_thread(), access) {
            self.fail(text);
        }
    }

    /// Runs a kernel and counts what the cost model says of it: how long it really took means nothing.
    fn run_counted(&self, core: usize, kernel: &Kernel, args: u64) {
        let cost = kernel.cost(args);
        kernel.run(args);
        let core_type = self.member.identity().core_type();
        let mut exact = Random::new(0, &[]);
        let model = &self.board.kernel_model;
        let (_, activity) = model.run(core_type, cost.as_ref(), &mut exact);
        let mut pmu = self.board.pmu(core);
        pmu.count(&activity);
        pmu.add_cycles(activity.cycles);
    }

    fn is_thread(&self) -> bool {
        self.lines.is_none()
    }

    /// The kernel at an address.
    fn kernel(&self, address: u64) -> Kernel {
        let mut kernels = self.kernels.borrow_mut();
        let known = kernels.iter().find(|kernel| kernel.address() == address);
        if let Some(kernel) = known {
            return *kernel;
        }
        match self.board.loader.kernel(address) {
            Ok(kernel) => {
                kernels.push(kernel);
                kernel
            }
            Err(error) => self.fail(format!("called what is no kernel: {error}")),
        }
    }

    #[cold]
    fn fail_access(&self, verb: &str, address: u64, bytes: u64) -> ! {
        let what = if address & (bytes - 1) != 0 {
            "is not aligned"
        } else {
            "is not device memory"
        };
        self.fail(format!("{verb} {address:#x} ({bytes} bytes), which {what}"))
    }

    /// Does nothing any more.
    #[cold]
    fn stop(&self) -> ! {
        loop {
            std::thread::park();
        }
    }
}

impl Acting for ThreadAgent {
    #[inline]
    fn act<R>(does: impl FnOnce(&Self) -> R) -> Option<R> {
        AGENT.with(|agent| agent.get().map(does))
    }

    #[inline]
    fn load32(&self, address: u64) -> u32 {
        let word = self.load(address, 4);
        half(word, address)
    }

    #[inline]
    fn load64(&self, address: u64) -> u64 {
        self.load(address, 8)
    }

    #[inline]
    fn store32(&self, address: u64, value: u32) {
        self.begin_store(address, 4);
        let disturbance = &mut *self.disturbance.borrow_mut();
        let stores = &mut *self.stores.borrow_mut();
        match &self.lines {
            Some(lines) => {
                let change = |word| with_half(word, address, value);
                // The address was checked.
                let _ = lines
                    .borrow_mut()
                    .store(disturbance, stores, address, change);
            }
            None => stores.store32(disturbance, address, value),
        }
    }

    #[inline]
    fn store64(&self, address: u64, value: u64) {
        self.begin_store(address, 8);
        let disturbance = &mut *self.disturbance.borrow_mut();
        let stores = &mut *self.stores.borrow_mut();
        match &self.lines {
            Some(lines) => {
                // The address was checked.
                let _ = lines
                    .borrow_mut()
                    .store(disturbance, stores, address, |_| value);
            }
            None => stores.store64(disturbance, address, value),
        }
    }

    fn clean(&self, address: u64) {
        self.begin_call();
        self.idle.set(0);
        if let Some(lines) = &self.lines {
            let disturbance = &mut *self.disturbance.borrow_mut();
            let stores = &mut *self.stores.borrow_mut();
            lines.borrow_mut().clean(disturbance, stores, address);
        }
    }

    #[inline]
    fn invalidate(&self, address: u64) {
        self.begin_call();
        if let Some(lines) = &self.lines {
            lines.borrow_mut().invalidate(address);
        }
    }

    #[inline]
    fn barrier(&self, barrier: u32) {
        self.begin_call();
        if barrier == Barrier::Load as u32 {
            return fence(Ordering::Acquire);
        }
        let disturbance = &mut *self.disturbance.borrow_mut();
        self.stores.borrow_mut().send_all(disturbance);
        fence(Ordering::Release);
    }

    #[inline]
    fn read_register(&self, address: u64) -> u32 {
        self.begin_call();
        let place = self.place("read", address);
        if let RegisterName::Pmu(register) = place.name {
            self.check_pmu(register, Access::Read);
            return self.board.pmu(place.core).read(register, 0);
        }
        let is_gate = place.name == RegisterName::FastPathEnable;
        if self.is_thread() && !is_gate && !self.board.is_open(place.core) {
            return 0;
        }
        self.board.read(place)
    }

    #[inline]
    fn write_register(&self, address: u64, value: u32) {
        self.begin_call();
        self.idle.set(0);
        let place = self.place("wrote", address);
        if let RegisterName::Pmu(register) = place.name {
            self.check_pmu(register, Access::Write);
            return self.board.pmu(place.core).write(register, value, 0);
        }
        let is_gate = place.name == RegisterName::FastPathEnable;
        if !is_gate && self.is_thread() != (place.name == RegisterName::DataMainBase) {
            self.fail(format!(
                "wrote {value:#x} to the other side's register at {address:#x}"
            ));
        }
        if self.is_thread() && !is_gate && !self.board.is_open(place.core) {
            return;
        }
        self.board.write(place, value);
    }

    fn copy(&self, to: u64, from: u64, bytes: u64) {
        self.copied(to, from, bytes);
    }

    fn copy_summed(&self, to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
        if !(to | bytes).is_multiple_of(LINE_BYTES) {
            self.fail(format!(
                "copied {bytes} bytes to {to:#x} with a checksum of whole lines"
            ));
        }
        checksum.lines(&self.copied(to, from, bytes));
    }

    #[inline]
    fn ticks(&self) -> u64 {
        self.begin_call();
        self.clock.ticks()
    }

    fn call(&self, kernel: u64, args: u64) {
        self.begin_call();
        self.idle.set(0);
        if self.is_thread() {
            self.fail(format!(
                "called the kernel at {kernel:#x}; only cores run kernels"
            ));
        }
        let kernel = self.kernel(kernel);
        if let Some(text) = refuse_args(&self.board.loader.memory, args) {
            self.fail(text);
        }
        if self.hangs {
            self.member.hang("the end of its kernel");
            self.stop();
        }
        match self.member.physical() {
            Some(core) if self.board.pmu(core).is_counting() => {
                self.run_counted(core, &kernel, args);
            }
            _ => kernel.run(args),
        }
    }

    /// Spins, then yields, then sleeps longer and longer: many agents share few CPUs.
    fn relax(&self, awaited: &Awaited<'_>) {
        self.begin_call();
        self.member.waits_for(awaited.name());
        {
            let disturbance = &mut *self.disturbance.borrow_mut();
            self.stores.borrow_mut().at_wait(disturbance);
        }
        let idle = self.idle.get();
        self.idle.set(idle.saturating_add(1));
        match idle {
            0..4 => std::hint::spin_loop(),
            4..12 => std::thread::yield_now(),
            _ => {
                let longest = if self.is_thread() {
                    Duration::from_micros(100)
                } else {
                    Duration::from_micros(25) * self.clock.slowdown()
                };
                let nap = Duration::from_micros(1 << (idle - 8).min(20)).min(longest);
                std::thread::sleep(nap.min(self.clock.until(awaited.deadline_ticks)));
            }
        }
    }

    fn identity(&self) -> Identity {
        self.member.identity()
    }

    fn loader(&self) -> &Loader {
        &self.board.loader
    }

    #[cold]
    fn fail(&self, text: String) -> ! {
        self.member.end(Outcome::Failed(text));
        self.stop()
    }
}
