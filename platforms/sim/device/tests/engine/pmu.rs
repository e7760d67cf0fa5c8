//! The hardware counters as device code reaches them: by window or page from the AICPU, by offset from a
//! core.

use crate::rig::{self, CLUSTERS, Rig, body, counters, now_ns, read_reg, work_ns, write_reg};
use lanescope_abi::Chip;
use lanescope_abi::chip::PmuRegisters;
use lanescope_sim_device::cost::KernelModel;
use std::cell::RefCell;
use std::rc::Rc;

fn registers(chip: Chip) -> &'static PmuRegisters {
    &chip.info().registers.pmu
}

/// Programs event type 2 as the AICPU does.
fn arm(chip: Chip, base: u64) {
    let pmu = registers(chip);
    let at = |offset: u32| base + u64::from(offset);
    let event = chip.info().pmu_event(2).expect("both chips have it");
    for (counter, offset) in pmu.selectors.iter().enumerate() {
        write_reg(at(*offset), event.selector(counter));
    }
    for offset in pmu.start {
        write_reg(at(offset), 0);
    }
    for offset in pmu.stop {
        write_reg(at(offset), u32::MAX);
    }
    for (offset, on) in pmu.switches {
        assert_eq!(read_reg(at(*offset)), 0, "after power-up");
        write_reg(at(*offset), *on);
        assert_eq!(read_reg(at(*offset)), *on);
    }
}

#[test]
fn the_total_is_the_time_between_the_writes_of_the_gate() {
    for chip in Chip::ALL {
        let mut rig = Rig::new(chip);
        let [near, other] = [0, 1].map(|core| counters(chip, CLUSTERS, core));
        let open = Rc::new(RefCell::new(Vec::new()));
        let spans = Rc::clone(&open);
        rig.threads(vec![body(move || {
            arm(chip, near);
            arm(chip, other);
            work_ns(30_000);
            let total = registers(chip).total;
            let read = |base: u64| total.map(|half| read_reg(base + u64::from(half)));
            let model = KernelModel::new(chip);
            let ns: u64 = spans.borrow().iter().sum();
            let [low, high] = read(near);
            let expected = model.cycles(8 * ns);
            assert!(u64::from(low).abs_diff(expected) <= 4, "{low} {expected}");
            assert_eq!(high, 0);
            assert_eq!(read(near), [0, 0], "{chip:?}: reading clears");
            assert_eq!(read(other), [0, 0], "{chip:?}: another core's gate");
        })]);
        rig.cores(vec![body(move || {
            let gate = u64::from(registers(chip).gate);
            work_ns(10_000);
            for ns in [1000, 2500] {
                write_reg(gate, 1);
                let opened = now_ns();
                assert_eq!(read_reg(gate), 1);
                work_ns(ns);
                write_reg(gate, 0);
                open.borrow_mut().push(now_ns() - opened);
                work_ns(700);
            }
        })]);
        rig.run();
        rig.assert_good();
    }
}

/// What becomes of a run in which one agent does that.
fn note_of(chip: Chip, is_thread: bool, act: impl FnOnce(u64) + 'static) -> Option<String> {
    let mut rig = Rig::new(chip);
    let base = if is_thread {
        counters(chip, CLUSTERS, 0)
    } else {
        0
    };
    let bodies = vec![body(move || act(base))];
    if is_thread {
        rig.threads(bodies);
    } else {
        rig.cores(bodies);
    }
    rig.run();
    rig.outcome().1.pop()
}

#[test]
fn an_agent_that_reaches_for_the_other_sides_registers_fails_its_task() {
    let counter = |chip| u64::from(registers(chip).counters[0]);
    let gate = |chip| u64::from(registers(chip).gate);
    let selector = |chip| u64::from(registers(chip).selectors[0]);
    let note = note_of(Chip::A2a3, false, move |_| {
        read_reg(counter(Chip::A2a3));
    });
    let note = note.expect("a2a3's cores do not read their counters");
    assert!(
        note.contains("read the hardware counters' Counter(0)"),
        "{note}"
    );
    assert!(note.contains("a core of a2a3"), "{note}");
    let read = note_of(Chip::A5, false, move |_| {
        read_reg(counter(Chip::A5));
    });
    assert_eq!(read, None);
    for chip in Chip::ALL {
        let note = note_of(chip, true, move |base| write_reg(base + gate(chip), 1));
        let note = note.expect("the gate is the core's");
        assert!(note.contains("wrote the hardware counters' Gate"), "{note}");
        let note = note_of(chip, true, move |base| {
            write_reg(base + counter(chip), 1);
        });
        assert!(note.is_some(), "{chip:?}: counters cannot be written");
        let note = note_of(chip, false, move |_| write_reg(selector(chip), 1));
        assert!(note.is_some(), "{chip:?}: selectors are the AICPU's");
    }
}

#[test]
fn a_page_of_counters_is_not_the_window_and_the_window_not_the_page() {
    let counter = u64::from(registers(Chip::A2a3).counters[0]);
    let old_place = rig::window(Chip::A2a3, CLUSTERS, 0) + counter;
    let note = note_of(Chip::A2a3, true, move |_| {
        read_reg(old_place);
    });
    let note = note.expect("the counters have a page of their own");
    assert!(
        note.contains(&format!(
            "read a register at {old_place:#x}, where there is none"
        )),
        "{note}"
    );
    let cond = u64::from(Chip::A2a3.info().registers.cond);
    let note = note_of(Chip::A2a3, true, move |base| {
        read_reg(base + cond);
    });
    assert!(note.is_some(), "the page has nothing but counters");
}
