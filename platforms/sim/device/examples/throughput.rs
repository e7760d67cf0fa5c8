//! Tasks a second of the engine alone: 72 cores, four AICPU threads, tasks of 10 µs, about sixty
//! calls of the device interface a task.

use lanescope_abi::token::{COND_FIN, DISPATCH_EXIT, DISPATCH_IDLE};
use lanescope_abi::{Awaited, Chip};
use lanescope_sim_device::engine::Current;
use lanescope_sim_device::machine::Body;
use lanescope_sim_device::table::TABLE;
use rig::Rig;
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

#[path = "../tests/rig/mod.rs"]
mod rig;

const CLUSTERS: u32 = 24;
const THREADS: u32 = 4;
const CORES: u32 = 72;
const DEPTH: u32 = 2;

#[derive(Clone, Copy)]
struct Layout {
    base: u64,
    chip: Chip,
    tasks_per_core: u32,
    task_ns: u64,
}

impl Layout {
    fn payload(self, core: u32, token: u32) -> u64 {
        self.base + 64 * u64::from(core * DEPTH + token % DEPTH)
    }
    fn slot(self, core: u32, token: u32) -> u64 {
        self.base + 0x10_0000 + 64 * u64::from(core * DEPTH + token % DEPTH)
    }
    fn counters(self, core: u32) -> u64 {
        self.base + 0x20_0000 + 64 * u64::from(core)
    }
    fn record(self, thread: u32, index: u32) -> u64 {
        self.base + 0x30_0000 + 0x10_0000 * u64::from(thread) + 64 * u64::from(index % 4000)
    }
    fn data_main_base(self, core: u32) -> u64 {
        rig::window(self.chip, CLUSTERS, core)
            + u64::from(self.chip.info().registers.data_main_base)
    }
    fn cond(self, core: u32) -> u64 {
        rig::window(self.chip, CLUSTERS, core) + u64::from(self.chip.info().registers.cond)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        let given = arguments.next().and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let tasks_per_core = u32::try_from(number(10_000)).unwrap_or(u32::MAX);
    let task_ns = number(10_000);
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let layout = Layout {
            base: rig.line(0),
            chip,
            tasks_per_core,
            task_ns,
        };
        let cores = (0..CORES).map(|core| -> Body { rig::body(move || run_core(layout, core)) });
        rig.cores_of(CLUSTERS, cores.collect());
        let polls = Rc::new(Cell::new(0u64));
        let threads = (0..THREADS).map(|thread| -> Body {
            let polls = Rc::clone(&polls);
            rig::body(move || run_thread(layout, thread, &polls))
        });
        rig.threads(threads.collect());
        let begin = Instant::now();
        rig.run();
        let seconds = begin.elapsed().as_secs_f64();
        rig.assert_good();
        let tasks = f64::from(CORES * tasks_per_core);
        let calls: u64 = rig
            .engine
            .agents
            .iter()
            .map(|agent| agent.calls.get())
            .sum();
        let virtual_us = rig.engine.now.get() as f64 / 8000.0;
        let line = format!(
            "{}: {:.0} tasks/s, {:.1} calls a task, {:.1} ns a call, {:.2} loads of COND a task, \
             {:.2} us of virtual time a task and core",
            chip.name(),
            tasks / seconds,
            calls as f64 / tasks,
            seconds * 1e9 / calls as f64,
            polls.get() as f64 / tasks,
            virtual_us / f64::from(tasks_per_core),
        );
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

fn run_core(layout: Layout, core: u32) {
    let registers = layout.chip.info().registers;
    let own = [u64::from(registers.data_main_base)];
    let cond = u64::from(registers.cond);
    let mut token = 0u32;
    loop {
        // SAFETY: the rig's agents may use the table.
        let dispatched = unsafe { (TABLE.read_reg)(own[0]) };
        if dispatched == DISPATCH_EXIT {
            return;
        }
        if dispatched == DISPATCH_IDLE || dispatched == 0 || dispatched <= token {
            let awaited = Awaited::new("token", &own, &[], u64::MAX);
            // SAFETY: the rig's agents may use the table; the wait outlives the call.
            unsafe { (TABLE.relax)(&raw const awaited) };
            continue;
        }
        token += 1;
        let receive = (TABLE.ticks)();
        write_reg(cond, token);
        let payload = layout.payload(core, token);
        (TABLE.invalidate)(payload);
        for word in 0..4 {
            load(payload + 8 * word);
        }
        (TABLE.invalidate)(payload + 0x80_0000);
        let start = (TABLE.ticks)();
        let Some(Current { engine, agent }) = Current::get() else {
            return;
        };
        engine.advance(agent, layout.task_ns * 8);
        let end = (TABLE.ticks)();
        let slot = layout.slot(core, token);
        for (word, value) in (0..).zip([u64::from(token), receive, start, end, 0]) {
            store(slot + 8 * word, value);
        }
        (TABLE.clean)(slot);
        (TABLE.barrier)(1);
        write_reg(cond, COND_FIN | token);
    }
}

#[derive(Clone, Copy)]
struct CoreState {
    core: u32,
    cond: u64,
    data_main_base: u64,
    dispatched: u32,
    committed: u32,
}

fn run_thread(layout: Layout, thread: u32, polls: &Cell<u64>) {
    let mut cores: Vec<CoreState> = (0..CORES)
        .filter(|core| core % THREADS == thread)
        .map(|core| CoreState {
            core,
            cond: layout.cond(core),
            data_main_base: layout.data_main_base(core),
            dispatched: 0,
            committed: 0,
        })
        .collect();
    let conds: Vec<u64> = cores.iter().map(|core| core.cond).collect();
    if let Some(gate) = layout.chip.info().registers.fast_path_enable {
        for core in &cores {
            let registers = layout.chip.info().registers;
            let window = core.data_main_base - u64::from(registers.data_main_base);
            write_reg(window + u64::from(gate), 0xE);
        }
    }
    let mut records = 0u32;
    loop {
        let mut progress = false;
        let mut done = true;
        for core in &mut cores {
            if core.dispatched > core.committed {
                polls.set(polls.get() + 1);
                // SAFETY: the rig's agents may use the table.
                let cond = unsafe { (TABLE.read_reg)(core.cond) };
                let token = cond & !COND_FIN;
                let proven = if cond & COND_FIN != 0 {
                    token
                } else {
                    token.saturating_sub(1)
                };
                while core.committed < proven {
                    core.committed += 1;
                    commit(layout, thread, core.core, core.committed, records);
                    records += 1;
                    progress = true;
                }
            }
            while core.dispatched < layout.tasks_per_core
                && core.dispatched - core.committed < DEPTH
            {
                core.dispatched += 1;
                dispatch(layout, core);
                progress = true;
            }
            done &= core.committed == layout.tasks_per_core;
        }
        if done {
            break;
        }
        if !progress {
            let awaited = Awaited::new("a finished task", &conds, &[], u64::MAX);
            // SAFETY: the rig's agents may use the table; the wait outlives the call.
            unsafe { (TABLE.relax)(&raw const awaited) };
        }
    }
    for core in &cores {
        write_reg(core.data_main_base, DISPATCH_EXIT);
    }
}

fn dispatch(layout: Layout, core: &CoreState) {
    let payload = layout.payload(core.core, core.dispatched);
    for word in 0..7 {
        store(payload + 8 * word, u64::from(core.dispatched));
    }
    (TABLE.barrier)(1);
    (TABLE.ticks)();
    write_reg(core.data_main_base, core.dispatched);
}

fn commit(layout: Layout, thread: u32, core: u32, token: u32, index: u32) {
    (TABLE.ticks)();
    let slot = layout.slot(core, token);
    (TABLE.invalidate)(slot);
    let record = layout.record(thread, index);
    assert_eq!(load(slot), u64::from(token), "a record of another task");
    for word in 0..8 {
        let value = if word < 5 {
            load(slot + 8 * word)
        } else {
            word
        };
        store(record + 8 * word, value);
    }
    store(layout.counters(core), u64::from(token));
    store(layout.counters(core) + 8, 0);
    (TABLE.barrier)(1);
}

fn load(address: u64) -> u64 {
    // SAFETY: the rig's agents may use the table; the address is in its memory.
    unsafe { (TABLE.load64)(address) }
}

fn store(address: u64, value: u64) {
    // SAFETY: the rig's agents may use the table; the address is in its memory.
    unsafe { (TABLE.store64)(address, value) }
}

fn write_reg(address: u64, value: u32) {
    // SAFETY: the rig's agents may use the table; the address is that of a register.
    unsafe { (TABLE.write_reg)(address, value) }
}
