//! Waits of an AICPU thread driven into their limits, and what a thread or core that breaks off leaves.

use crate::support::{Fault, Setup, TestDevice, independent, window};
use lanescope_abi::control::{CoreAnswer, DeviceError, Phase, SchedulerWords, ThreadStatus};
use lanescope_abi::token::{COND_EXITED, COND_FIN, COND_IDLE, DISPATCH_EXIT};
use lanescope_aicpu::schedule::{self, Noted};

/// The handshake limit of the miniature chip.
const HANDSHAKE_LIMIT_TICKS: u64 = 50_000;

/// What the AICPU wrote last to a core's DATA_MAIN_BASE.
fn data_main_base(device: &TestDevice, setup: &Setup, core: u32) -> u32 {
    let address = window(core) + u64::from(setup.chip.info().registers.data_main_base);
    device.world().registers[&address]
}

#[test]
fn a_core_that_never_reports_idle_ends_the_handshake() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(3, Fault::Silent)];
    let outcome = setup.run();
    let status = outcome.first_failure();
    assert_eq!(status.error, DeviceError::HandshakeTimeout as u32);
    assert_eq!((status.core, status.phase), (3, Phase::Handshake as u32));
    assert_eq!(status.detail, HANDSHAKE_LIMIT_TICKS);
    assert!(outcome.ran.is_empty());
}

#[test]
fn a_core_that_does_not_leave_is_named_with_its_registers() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(4, Fault::Stays)];
    let outcome = setup.run();
    let status = outcome.first_failure();
    assert_eq!(status.error, DeviceError::ExitTimeout as u32);
    assert_eq!((status.core, status.phase), (4, Phase::Exit as u32));
    assert_eq!(status.data_main_base, DISPATCH_EXIT);
    assert_eq!(status.cond & COND_FIN, COND_FIN, "the last FIN");
    assert_eq!(status.detail, HANDSHAKE_LIMIT_TICKS);
    // Every task had run, and its record is there.
    assert_eq!(outcome.records.len(), 60);
}

#[test]
fn a_cond_left_by_an_earlier_run_is_no_exit() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(3, Fault::Silent)];
    let (device, header) = setup.build();
    {
        // The core left the run before in order, and its register and line still say so.
        let mut world = device.world();
        let cond = window(3) + u64::from(setup.chip.info().registers.cond);
        world.registers.insert(cond, COND_EXITED);
        let line = world.memory.base() + header.answers.at(3);
        let answer = CoreAnswer {
            exited_run: header.run_id - 1,
            ..CoreAnswer::default()
        };
        world.memory.write(line, &answer);
    }
    let outcome = setup.run_on(&device, &header);
    let status = outcome.first_failure();
    assert_eq!((status.core, status.cond), (3, COND_EXITED));
    // Had it been taken for gone, its register would be idle, and a late core would never leave.
    assert_eq!(data_main_base(&device, &setup, 3), DISPATCH_EXIT);
}

#[test]
fn a_core_that_broke_off_has_not_finished_its_token() {
    let mut setup = Setup::new(independent(60));
    setup.faults = vec![(2, Fault::Quits(3))];
    let outcome = setup.run();
    let order = &outcome.orders[2];
    assert!(order.dispatched >= 3, "{order:?}");
    assert_eq!(order.completed, 2);
    let of_core = outcome.records.iter().filter(|record| record.core == 2);
    let tokens: Vec<u32> = of_core.map(|record| record.token).collect();
    assert_eq!(tokens, [16, 17]);
}

#[test]
fn a_thread_that_died_says_so_in_the_phase_it_was_in() {
    let setup = Setup::new(independent(60));
    let (device, header) = setup.build();
    let base = device.world().memory.base();
    let line = base + header.threads.at(0);
    let before = ThreadStatus {
        run_id: header.run_id,
        phase: Phase::Running as u32,
        core: u32::MAX,
        begin_ticks: 77,
        completed: 5,
        ..ThreadStatus::default()
    };
    device.world().memory.write(line, &before);
    let mut noted = Noted::<2>::new();
    noted.thread = Some(0);
    // SAFETY: the regions were laid out above and outlive the call; every access is checked.
    unsafe { schedule::poison(&device, base, setup.chip, &mut noted) };
    let after: ThreadStatus = device.world().memory.read(line);
    let expected = ThreadStatus {
        error: DeviceError::Internal as u32,
        ticks: after.ticks,
        ..before
    };
    assert_eq!(after, expected);
    assert!(after.ticks > before.ticks);
    // And the others learn of it.
    let words: SchedulerWords = device.world().memory.read(base + header.scheduler.at(0));
    assert_eq!(words.fault.value, DeviceError::Internal as u32);
    assert_ne!(COND_IDLE, COND_EXITED);
}
