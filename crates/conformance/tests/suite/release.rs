//! Release: everything comes back, in whatever order it is let go, and a device opens again.

use lanescope::{Device, DeviceMemory, Mapping, MappingExt, RunOptions, Session};
use lanescope_conformance::{CaseResult, Need, Stand, SuiteCase, small};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "release::whatever_goes_first_the_rest_still_works",
        &[Need::Programs],
        whatever_goes_first_the_rest_still_works,
    ),
    SuiteCase::new(
        "release::a_device_opened_twice_is_one_device",
        &[],
        a_device_opened_twice_is_one_device,
    ),
    SuiteCase::new(
        "release::a_closed_device_opens_again_with_all_its_memory",
        &[],
        a_closed_device_opens_again_with_all_its_memory,
    ),
    SuiteCase::new(
        "release::what_is_let_go_on_another_thread_comes_back",
        &[],
        what_is_let_go_on_another_thread_comes_back,
    ),
];

/// Everything that holds a device.
struct Held {
    device: Option<Arc<dyn Device>>,
    memory: Option<Arc<dyn DeviceMemory>>,
    mapping: Option<Box<dyn Mapping>>,
    session: Option<Session>,
}

impl Held {
    fn new(stand: &Stand) -> Result<Self, Box<dyn std::error::Error>> {
        let session = stand.session()?;
        let device = session.device().clone();
        let memory = device.allocate(8192)?;
        Ok(Self {
            mapping: Some(device.map(&memory, 8192)?),
            memory: Some(memory),
            device: Some(device),
            session: Some(session),
        })
    }

    fn let_go(&mut self, which: usize) {
        match which {
            0 => self.device = None,
            1 => self.memory = None,
            2 => self.mapping = None,
            _ => self.session = None,
        }
    }

    /// Uses all that is left.
    fn check(&mut self, built: &lanescope_examples::Built) -> CaseResult {
        if let Some(device) = &self.device {
            device.allocate(64)?;
        }
        if let (Some(device), Some(memory)) = (&self.device, &self.memory) {
            device.copy_to_device(memory.address(), &[9; 64])?;
        }
        if let Some(mapping) = &self.mapping {
            mapping.store64(0, 5, Ordering::Release);
            mapping.flush(0..8)?;
            mapping.invalidate(0..8)?;
            assert_eq!(mapping.load64(0, Ordering::Acquire), 5);
        }
        if let Some(session) = &mut self.session {
            session.run(&built.graph, &RunOptions::default())?;
            built.check(|tensor| session.read(tensor))?;
        }
        Ok(())
    }
}

fn whatever_goes_first_the_rest_still_works(stand: &Stand) -> CaseResult {
    let built = stand.case(small()).graph(stand.build())?;
    for order in [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [1, 0, 3, 2],
        [2, 3, 0, 1],
        [3, 0, 1, 2],
        [1, 2, 3, 0],
        [0, 3, 1, 2],
        [2, 0, 3, 1],
    ] {
        let mut held = Held::new(stand)?;
        for which in order {
            held.let_go(which);
            held.check(&built)
                .map_err(|error| format!("{order:?}, after {which}: {error}"))?;
        }
    }
    Ok(())
}

fn a_device_opened_twice_is_one_device(stand: &Stand) -> CaseResult {
    let first = stand.open()?;
    let second = stand.open()?;
    let memory = first.allocate(4096)?;
    first.copy_to_device(memory.address(), &[0xC3; 4096])?;
    let mut found = [0; 4096];
    second.copy_to_host(&mut found, memory.address())?;
    assert_eq!(found, [0xC3; 4096]);
    drop(first);
    second.copy_to_host(&mut found, memory.address())?;
    assert_eq!(found, [0xC3; 4096]);
    let mapping = second.map(&memory, 4096)?;
    mapping.invalidate(0..8)?;
    assert_eq!(mapping.load64(0, Ordering::Acquire), 0xC3C3_C3C3_C3C3_C3C3);
    Ok(())
}

fn a_closed_device_opens_again_with_all_its_memory(stand: &Stand) -> CaseResult {
    const BYTES: u64 = 2 << 30;
    for round in 0..10u64 {
        let device = stand.open()?;
        let memory = device
            .allocate(BYTES)
            .map_err(|error| format!("round {round}: {error}"))?;
        let mapping = device.map(&memory, 4096)?;
        mapping.store64(0, round, Ordering::Release);
        mapping.flush(0..8)?;
        device.register_table()?;
    }
    Ok(())
}

fn what_is_let_go_on_another_thread_comes_back(stand: &Stand) -> CaseResult {
    for _ in 0..10 {
        let device = stand.open()?;
        let memory = device.allocate(2 << 30)?;
        let mapping = device.map(&memory, 4096)?;
        std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                mapping.store64(0, 1, Ordering::Release);
                let flushed = mapping.flush(0..8);
                drop((device, memory, mapping));
                flushed
            });
            other.join().expect("the thread does not panic")
        })?;
    }
    Ok(())
}
