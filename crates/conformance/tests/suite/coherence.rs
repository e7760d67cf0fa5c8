//! Who sees what: host stores, device writes, and a kernel in between.

use lanescope::{Arg, Capability, CoreType, Device, DeviceMemory, Graph, Mapping, MappingExt};
use lanescope::{PlatformError, RunOptions};
use lanescope_conformance::{CaseResult, Gate, Need, Stand, SuiteCase};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "coherence::what_the_host_flushed_is_on_the_device",
        &[],
        what_the_host_flushed_is_on_the_device,
    ),
    SuiteCase::new(
        "coherence::what_is_on_the_device_is_seen_after_invalidate",
        &[],
        what_is_on_the_device_is_seen_after_invalidate,
    ),
    SuiteCase::new(
        "coherence::a_coherent_view_needs_no_call",
        &[Need::Has(Capability::CoherentMapping)],
        a_coherent_view_needs_no_call,
    ),
    SuiteCase::new(
        "coherence::nothing_moves_but_what_was_asked_for",
        &[Need::Lacks(Capability::CoherentMapping)],
        nothing_moves_but_what_was_asked_for,
    ),
    SuiteCase::new(
        "coherence::a_kernel_reads_what_the_host_stored_and_the_host_its_result",
        &[Need::Programs],
        a_kernel_reads_what_the_host_stored_and_the_host_its_result,
    ),
    SuiteCase::new(
        "coherence::a_kernel_that_runs_sees_a_host_store_and_answers",
        &[Need::Programs],
        a_kernel_that_runs_sees_a_host_store_and_answers,
    ),
];

const BYTES: u64 = 16384;

struct View {
    device: Arc<dyn Device>,
    memory: Arc<dyn DeviceMemory>,
    mapping: Box<dyn Mapping>,
}

impl View {
    /// A view of memory that is all `0x11`, on both sides.
    fn new(stand: &Stand) -> Result<Self, Box<dyn std::error::Error>> {
        let device = stand.open()?;
        let memory = device.allocate(BYTES)?;
        device.copy_to_device(memory.address(), &vec![0x11; 16384])?;
        let mapping = device.map(&memory, BYTES)?;
        mapping.invalidate(0..BYTES)?;
        Ok(Self {
            device,
            memory,
            mapping,
        })
    }

    fn on_device(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, PlatformError> {
        let mut found = vec![0; bytes];
        let from = self.memory.address().offset(offset);
        self.device.copy_to_host(&mut found, from)?;
        Ok(found)
    }

    fn to_device(&self, offset: u64, bytes: &[u8]) -> Result<(), PlatformError> {
        let to = self.memory.address().offset(offset);
        self.device.copy_to_device(to, bytes)
    }

    fn on_host(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let mut found = vec![0; bytes];
        self.mapping.read_bytes(offset, &mut found);
        found
    }
}

fn what_the_host_flushed_is_on_the_device(stand: &Stand) -> CaseResult {
    let view = View::new(stand)?;
    // Words, lines, an odd range across a page, the whole.
    for (offset, bytes) in [(0, 4), (64, 64), (4093, 7), (8192 - 1, 130), (0, 16384)] {
        let stored = vec![(offset % 251) as u8 ^ 0xA5; bytes];
        view.mapping.write_bytes(offset, &stored);
        view.mapping.flush(offset..offset + bytes as u64)?;
        assert_eq!(view.on_device(offset, bytes)?, stored, "at {offset}");
    }
    Ok(())
}

fn what_is_on_the_device_is_seen_after_invalidate(stand: &Stand) -> CaseResult {
    let view = View::new(stand)?;
    for (offset, bytes) in [(0, 8), (128, 64), (4090, 13), (0, 16384)] {
        let copied = vec![(offset % 251) as u8 ^ 0x5A; bytes];
        view.to_device(offset, &copied)?;
        view.mapping.invalidate(offset..offset + bytes as u64)?;
        assert_eq!(view.on_host(offset, bytes), copied, "at {offset}");
    }
    Ok(())
}

fn a_coherent_view_needs_no_call(stand: &Stand) -> CaseResult {
    let view = View::new(stand)?;
    view.mapping.store64(256, 0xABCD, Ordering::Release);
    assert_eq!(view.on_device(256, 8)?, 0xABCD_u64.to_le_bytes());
    view.to_device(512, &7u64.to_le_bytes())?;
    assert_eq!(view.mapping.load64(512, Ordering::Acquire), 7);
    view.mapping.flush(0..BYTES)?;
    view.mapping.invalidate(0..BYTES)?;
    assert_eq!(view.mapping.copied_bytes(), 0);
    Ok(())
}

/// A flush that moved a neighbour would roll back what the device wrote there; an invalidate that
/// did would undo a host store that is not flushed yet.
fn nothing_moves_but_what_was_asked_for(stand: &Stand) -> CaseResult {
    let view = View::new(stand)?;
    let before = view.mapping.copied_bytes();
    // The device writes around a word that the host is about to flush.
    view.to_device(0, &[0x22; 64])?;
    view.mapping.store64(24, u64::MAX, Ordering::Release);
    assert_eq!(view.on_device(24, 8)?, [0x22; 8], "not flushed yet");
    view.mapping.flush(24..32)?;
    let mut expected = [0x22; 64];
    expected[24..32].fill(0xFF);
    assert_eq!(view.on_device(0, 64)?, expected);
    assert_eq!(view.on_host(0, 24), [0x11; 24], "not invalidated yet");
    // The host stores around a word that it is about to invalidate.
    view.mapping.write_bytes(128, &[0x33; 64]);
    view.to_device(128, &[0x44; 64])?;
    view.mapping.invalidate(152..160)?;
    let mut expected = [0x33; 64];
    expected[24..32].fill(0x44);
    assert_eq!(view.on_host(128, 64), expected);
    assert_eq!(view.on_device(128, 64)?, [0x44; 64]);
    assert_eq!(view.mapping.copied_bytes() - before, 16);
    Ok(())
}

fn a_kernel_reads_what_the_host_stored_and_the_host_its_result(stand: &Stand) -> CaseResult {
    const COUNT: u16 = 300;
    const ARRAY_BYTES: u64 = 4096;
    let mut session = stand.session()?;
    let device = session.device().clone();
    let memory = device.allocate(3 * ARRAY_BYTES)?;
    let mapping = device.map(&memory, 3 * ARRAY_BYTES)?;
    mapping.write_bytes(0, &[0x7F; 3 * 4096]);
    mapping.flush(0..3 * ARRAY_BYTES)?;
    let array = |number| Arg::Scalar(memory.address().offset(number * ARRAY_BYTES).0);
    let mut graph = Graph::new("add");
    let add = graph.function("add", 0, stand.build().kernel("vector_add")?);
    let count = Arg::Scalar(u64::from(COUNT));
    graph.task(add, CoreType::Aiv, &[array(0), array(1), array(2), count]);
    for round in 0..3u16 {
        let x = |i: u16| f32::from(i) + f32::from(round) * 1000.0;
        let y = |i: u16| f32::from(i) * 2.0 + 0.5;
        let floats = |value: &dyn Fn(u16) -> f32| -> Vec<u8> {
            (0..COUNT).flat_map(|i| value(i).to_le_bytes()).collect()
        };
        for (number, bytes) in [(1, floats(&x)), (2, floats(&y))] {
            let begin = number * ARRAY_BYTES;
            mapping.write_bytes(begin, &bytes);
            mapping.flush(begin..begin + bytes.len() as u64)?;
        }
        session.run(&graph, &RunOptions::default())?;
        let expected = floats(&|i| x(i) + y(i));
        let mut found = vec![0; expected.len() + 8];
        mapping.invalidate(0..found.len() as u64)?;
        mapping.read_bytes(0, &mut found);
        assert_eq!(found[..expected.len()], expected, "round {round}");
        assert_eq!(found[expected.len()..], [0x7F; 8], "beyond the result");
    }
    Ok(())
}

fn a_kernel_that_runs_sees_a_host_store_and_answers(stand: &Stand) -> CaseResult {
    let mut session = stand.session()?;
    let gate = Gate::new(stand, session.device())?;
    for number in [1, 0xFFFF_FFFF, 0x0123_4567_89AB_CDEF] {
        gate.shut()?;
        std::thread::scope(|scope| -> CaseResult {
            let run = scope.spawn(|| session.run(gate.graph(), &RunOptions::default()));
            gate.wait_until_entered()?;
            gate.open(number)?;
            run.join().expect("a run does not panic")?;
            Ok(())
        })?;
        assert_eq!(gate.answer()?, number + 1);
    }
    Ok(())
}
