//! Hardware counters: every task's own, on both chips, and switched back at the end.

use crate::support::{
    Fault, HostMode, Outcome, Setup, TestDevice, chain, counted, counters_at, independent,
};
use lanescope_abi::capture::Policy;
use lanescope_abi::control::{ControlHeader, DeviceError};
use lanescope_abi::{Chip, Kind, Section};
use std::collections::HashMap;
use std::mem::offset_of;

const EVENT: u32 = 4;
/// What the switches hold before a run.
const BEFORE: u32 = 0x30;

fn setup(chip: Chip, tasks: u32) -> Setup {
    let mut setup = Setup::new(chain(7, tasks));
    setup.chip = chip;
    setup.pmu_event = EVENT;
    let is_read_by_core = chip.info().registers.pmu.is_read_by_core;
    setup.issue_depth = if is_read_by_core { 2 } else { 1 };
    setup
}

fn run(setup: &Setup) -> (Outcome, TestDevice) {
    let (device, header) = setup.build();
    for core in 0..setup.cores() {
        for (switch, _) in setup.chip.info().registers.pmu.switches {
            let address = counters_at(setup.chip.info(), core) + u64::from(*switch);
            device.world().registers.insert(address, BEFORE);
        }
    }
    let outcome = setup.run_on(&device, &header);
    (outcome, device)
}

fn register(device: &TestDevice, core: u32, offset: u32) -> u32 {
    let world = device.world();
    let address = counters_at(world.chip, core) + u64::from(offset);
    world.registers[&address]
}

fn assert_switched_back(setup: &Setup, device: &TestDevice) {
    for core in 0..setup.cores() {
        for (switch, _) in setup.chip.info().registers.pmu.switches {
            assert_eq!(register(device, core, *switch), BEFORE, "core {core}");
        }
    }
}

/// Every record has the counters of its task and of no other.
fn assert_own(setup: &Setup, outcome: &Outcome) {
    let ran: HashMap<u64, _> = outcome.ran.iter().map(|ran| (ran.task_id, ran)).collect();
    let used = setup.chip.info().registers.pmu.counters.len();
    for record in &outcome.pmu {
        let (mut counters, total) = counted(record.task_id);
        counters[used..].fill(0);
        assert_eq!(record.counters, counters, "task {}", record.task_id);
        assert_eq!(record.total_cycles, total);
        let ran = ran[&record.task_id];
        assert_eq!(
            (u32::from(record.core), record.token),
            (ran.core, ran.token)
        );
        assert_eq!((record.event, record.run_id, record.func_id), (EVENT, 7, 3));
        let core_type = setup.chip.info().core_type(setup.clusters, ran.core);
        assert_eq!(u32::from(record.core_type), core_type as u32);
        assert!(record.ticks > ran.end);
    }
}

#[test]
fn every_task_has_its_own_counters_at_every_level() {
    for chip in Chip::ALL {
        for (level, threads) in [(0, 1), (1, 1), (2, 3), (4, 2)] {
            let mut setup = setup(chip, 200);
            setup.level = level;
            setup.threads = threads;
            let (outcome, device) = run(&setup);
            outcome.assert_exact(&setup);
            assert_eq!(outcome.pmu.len(), 200);
            assert_eq!(outcome.by_kind[&Kind::PMU].total, 200);
            assert_own(&setup, &outcome);
            assert_switched_back(&setup, &device);
        }
    }
}

#[test]
fn counters_are_programmed_with_the_event() {
    for chip in Chip::ALL {
        let setup = setup(chip, 60);
        let (_, device) = run(&setup);
        let pmu = &chip.info().registers.pmu;
        let event = chip.info().pmu_event(EVENT).expect("the chip has it");
        for core in 0..setup.cores() {
            for (counter, selector) in pmu.selectors.iter().enumerate() {
                assert_eq!(register(&device, core, *selector), event.selector(counter));
            }
            assert_eq!(pmu.start.map(|at| register(&device, core, at)), [0; 2]);
            assert_eq!(
                pmu.stop.map(|at| register(&device, core, at)),
                [u32::MAX; 2]
            );
        }
    }
}

#[test]
fn the_counters_of_a_dropped_record_are_not_those_of_the_next() {
    for chip in Chip::ALL {
        let mut setup = setup(chip, 400);
        setup.level = 0;
        setup.lane.policy = Policy::DropNewest;
        setup.host = HostMode::After(200);
        let (outcome, _) = run(&setup);
        let dropped = outcome.by_kind[&Kind::PMU].dropped[0];
        let collected = outcome.pmu.len() as u64;
        assert!(dropped > 0 && collected > 64, "{dropped}, {collected}");
        assert_eq!(outcome.by_kind[&Kind::PMU].total, dropped + collected);
        assert_own(&setup, &outcome);
    }
}

#[test]
fn a_line_of_counters_that_does_not_match_is_counted_and_never_recorded() {
    for fault in [Fault::Unpublished(3), Fault::Torn(3)] {
        let mut setup = setup(Chip::A5, 60);
        setup.faults = vec![(0, fault)];
        let (outcome, _) = run(&setup);
        let counters = outcome.by_kind[&Kind::PMU];
        assert_eq!((counters.total, counters.mismatched), (60, 1), "{fault:?}");
        assert_eq!(outcome.pmu.len(), 59);
        assert_own(&setup, &outcome);
    }
}

#[test]
fn a_run_that_fails_switches_the_counters_back_too() {
    for chip in Chip::ALL {
        for fault in [Fault::Cond(3, 5000), Fault::Quits(3), Fault::Hang(3)] {
            let mut setup = setup(chip, 60);
            setup.faults = vec![(2, fault)];
            let (outcome, device) = run(&setup);
            outcome.first_failure();
            assert_switched_back(&setup, &device);
            assert_own(&setup, &outcome);
        }
    }
}

#[test]
fn what_could_mix_tasks_or_is_not_known_is_refused() {
    let mut deep = setup(Chip::A2a3, 60);
    deep.issue_depth = 2;
    let mut unknown = setup(Chip::A2a3, 60);
    unknown.pmu_event = 3;
    for setup in [deep, unknown] {
        let outcome = setup.run();
        assert_eq!(outcome.first_failure().error, DeviceError::BadLayout as u32);
        assert!(outcome.ran.is_empty());
    }
}

#[test]
fn a_table_of_counter_pages_that_cannot_be_is_refused() {
    let setup = setup(Chip::A2a3, 60);
    let table = offset_of!(ControlHeader, pmu_registers) as u64;
    let cases = [
        (offset_of!(Section, count), 74),
        (offset_of!(Section, stride_bytes), 4),
        (offset_of!(Section, offset_bytes), u32::MAX - 63),
        // The header itself.
        (offset_of!(Section, offset_bytes), 64),
    ];
    for (field, value) in cases {
        let (device, header) = setup.build();
        {
            let memory = &device.world().memory;
            memory.store32(memory.base() + table + field as u64, value);
        }
        let outcome = setup.run_on(&device, &header);
        assert_eq!(outcome.first_failure().error, DeviceError::BadLayout as u32);
        assert!(outcome.ran.is_empty());
    }
    let (device, header) = setup.build();
    {
        let memory = &device.world().memory;
        memory.store64(memory.base() + header.pmu_registers.at(2), 0);
    }
    let outcome = setup.run_on(&device, &header);
    let failure = outcome.first_failure();
    assert_eq!(failure.error, DeviceError::BadAnswer as u32);
    assert_eq!((failure.core, failure.detail), (2, 2));
    assert!(outcome.ran.is_empty());
}

#[test]
fn a_run_that_does_not_count_needs_no_table_of_counter_pages() {
    let mut setup = Setup::new(chain(7, 60));
    setup.chip = Chip::A2a3;
    let (device, header) = setup.build();
    assert_eq!(header.pmu_registers.count, 0);
    {
        let memory = &device.world().memory;
        let table = memory.base() + offset_of!(ControlHeader, pmu_registers) as u64;
        memory.store64(table, u64::MAX);
        memory.store64(table + 8, u64::MAX);
    }
    setup.run_on(&device, &header).assert_exact(&setup);
}

#[test]
fn counters_that_are_off_are_left_alone() {
    for chip in Chip::ALL {
        let mut setup = Setup::new(independent(60));
        setup.chip = chip;
        let (device, header) = setup.build();
        setup.run_on(&device, &header).assert_exact(&setup);
        let pmu = &chip.info().registers.pmu;
        let world = device.world();
        for offset in pmu.selectors.iter().chain(&pmu.start).chain(&pmu.stop) {
            let address = counters_at(chip.info(), 0) + u64::from(*offset);
            assert_eq!(world.registers.get(&address), None);
        }
        for (switch, _) in pmu.switches {
            let address = counters_at(chip.info(), 0) + u64::from(*switch);
            assert_eq!(world.registers.get(&address), None);
        }
    }
}
