//! The C++ of the AICore program, held to the Rust reference and to the order that must hold.

mod recording;

use lanescope_abi::chip::ChipInfo;
use lanescope_abi::control::{
    CONTROL_MAGIC, ControlHeader, CoreAnswer, CoreOrder, DeviceError, HostLine, Payload, Phase,
};
use lanescope_abi::token::{
    COND_EXITED, COND_FIN, COND_IDLE, DISPATCH_EXIT, DISPATCH_IDLE, TOKEN_FIRST, TOKEN_LAST,
};
use lanescope_abi::{ABI_HASH, Chip, LINE_BYTES, PmuSlot, RING_SIZES, Section, TaskSlot, Token};
use lanescope_aicore::{Counters, Times, publish, publish_counted};
use recording::{Call, Program, Recording};
use std::mem::offset_of;

#[test]
fn cpp_and_rust_publish_the_same_bytes_by_the_same_calls() {
    type Publish = unsafe extern "C" fn(u64, u32, u32, u64, u64, u64);
    for ring_size in RING_SIZES {
        let program = Program::build("tests/publish.cpp", Chip::A2a3, ring_size);
        for token in [TOKEN_FIRST, TOKEN_FIRST + 5, 0x1234_5678, TOKEN_LAST] {
            let times = Times {
                receive: 3,
                start: u64::MAX - 7,
                end: 1 << 40,
            };
            let cpp = program.record(|memory| {
                // SAFETY: the entry has this type and writes one slot of the ring.
                let entry = unsafe { program.entry::<Publish>("test_publish") };
                // SAFETY: the ring lies in the recording's memory, and `token` names one of its slots.
                unsafe { entry(memory, token, 9, times.receive, times.start, times.end) };
            });
            let rust = Recording::new(|recorder, memory| {
                let token = Token::new(token).expect("a token");
                // SAFETY: the memory holds the largest ring.
                unsafe { publish(recorder, memory, ring_size, token, 9, &times) };
            });
            assert_eq!(cpp.calls, rust.calls);
            assert_eq!(cpp.bytes, rust.bytes);
            let slot = TaskSlot {
                token,
                run_id: 9,
                receive_ticks: times.receive,
                start_ticks: times.start,
                end_ticks: times.end,
                seal: token,
                ..TaskSlot::default()
            };
            let at = (token % ring_size) as usize * 64;
            let expected: [u8; 64] = zerocopy::transmute!(slot);
            assert_eq!(cpp.bytes[at..at + 64], expected);
        }
    }
}

#[test]
fn cpp_and_rust_publish_counters_as_they_do_times() {
    type Publish = unsafe extern "C" fn(u64, u32, u32, *const u64, u64, *const u32);
    let values = [1, 2, 3, 5, 7, 11, 13, 17, u32::MAX, 0x8000_0001];
    let counters = Counters {
        total_cycles: 0x1_0000_0002,
        values,
    };
    let times = [3, u64::MAX - 7, 1 << 40];
    for (ring_size, has_times) in RING_SIZES
        .into_iter()
        .zip([true, false].into_iter().cycle())
    {
        let program = Program::build("tests/publish.cpp", Chip::A5, ring_size);
        for token in [TOKEN_FIRST, TOKEN_FIRST + 5, TOKEN_LAST] {
            let cpp = program.record(|memory| {
                // SAFETY: the entry has this type.
                let entry = unsafe { program.entry::<Publish>("test_publish_counted") };
                let times = if has_times {
                    times.as_ptr()
                } else {
                    std::ptr::null()
                };
                let total_cycles = counters.total_cycles;
                // SAFETY: the ring lies in the recording's memory; null or three times, ten counters.
                unsafe { entry(memory, token, 9, times, total_cycles, values.as_ptr()) };
            });
            let [receive, start, end] = times;
            let times = Times {
                receive,
                start,
                end,
            };
            let rust = Recording::new(|recorder, memory| {
                let token = Token::new(token).expect("a token");
                let times = has_times.then_some(&times);
                // SAFETY: the memory holds the largest ring.
                unsafe {
                    publish_counted(recorder, memory, ring_size, token, 9, times, &counters);
                };
            });
            assert_eq!(cpp.calls, rust.calls);
            assert_eq!(cpp.bytes, rust.bytes);
            let at = (token % ring_size) as usize * 128;
            let slot = TaskSlot {
                token,
                run_id: 9,
                receive_ticks: receive,
                start_ticks: start,
                end_ticks: end,
                seal: token,
                ..TaskSlot::default()
            };
            let slot = if has_times { slot } else { TaskSlot::default() };
            let expected: [u8; 64] = zerocopy::transmute!(slot);
            assert_eq!(cpp.bytes[at..at + 64], expected);
            let slot = PmuSlot {
                token,
                run_id: 9,
                total_cycles: counters.total_cycles,
                counters: values,
                seal: token,
                ..PmuSlot::default()
            };
            let expected: [u8; 64] = zerocopy::transmute!(slot);
            assert_eq!(cpp.bytes[at + 64..at + 128], expected);
        }
    }
}

/// The calls of the one token of a run between its ACK and its FIN.
fn calls_of_token<'a>(run: &'a Recording, chip: &ChipInfo) -> &'a [Call] {
    let cond = u64::from(chip.registers.cond);
    let ack = run.position(|call| *call == Call::WriteReg(cond, TOKEN_FIRST));
    let fin = run.position(|call| *call == Call::WriteReg(cond, COND_FIN | TOKEN_FIRST));
    &run.calls[ack + 1..fin]
}

#[test]
fn the_gate_is_open_for_the_kernel_alone_and_a_core_that_can_stages_its_counters() {
    for chip in Chip::ALL {
        let info = chip.info();
        let pmu = &info.registers.pmu;
        let program = Program::build("cpp/aicore.cpp", chip, 2);
        for level in [0, 1] {
            let mut memory = memory(info, 2, TOKEN_FIRST, level);
            let order = CoreOrder {
                pmu_event: 2,
                slot_lines: 1 + u32::from(pmu.is_read_by_core),
                ..order(TOKEN_FIRST, level)
            };
            put(&mut memory, ORDER, &order);
            let run = program.run(memory, info, &[TOKEN_FIRST, DISPATCH_EXIT]);
            let calls = calls_of_token(&run, info);
            let gate = u64::from(pmu.gate);
            let kernel = calls
                .iter()
                .position(|call| matches!(call, Call::Kernel(..)));
            let kernel = kernel.expect("the kernel runs");
            let opens = [Call::ReadReg(gate), Call::WriteReg(gate, GATE | 1)];
            let closes = [Call::ReadReg(gate), Call::WriteReg(gate, GATE)];
            assert_eq!(calls[kernel - 2..kernel], opens);
            assert_eq!(calls[kernel + 1..kernel + 3], closes);
            let mut rest = &calls[kernel + 3..];
            if level != 0 {
                assert_eq!(rest[0], Call::Ticks, "the end tick");
                rest = &rest[1..];
            }
            if !pmu.is_read_by_core {
                let is_counter = |call: &&Call| matches!(call, Call::ReadReg(_));
                assert_eq!(rest.iter().find(is_counter), None, "the AICPU reads them");
                continue;
            }
            let offsets = pmu.counters.iter().chain(&pmu.total);
            let reads: Vec<Call> = offsets.map(|at| Call::ReadReg(u64::from(*at))).collect();
            assert_eq!(rest[..reads.len()], reads, "once each, behind the gate");
            assert_eq!(rest.last(), Some(&Call::Barrier(1)));
            let slot: PmuSlot = run.read(STAGING + 64);
            let [low, high] = pmu.total.map(|at| recording::register(u64::from(at)));
            let expected = PmuSlot {
                token: TOKEN_FIRST,
                run_id: RUN,
                total_cycles: u64::from(high) << 32 | u64::from(low),
                counters: std::array::from_fn(|at| {
                    recording::register(u64::from(pmu.counters[at]))
                }),
                seal: TOKEN_FIRST,
                ..PmuSlot::default()
            };
            assert_eq!(slot, expected);
            let slot: TaskSlot = run.read(STAGING);
            assert_eq!(slot.token, if level == 0 { 0 } else { TOKEN_FIRST });
        }
    }
}

/// What the gate's register holds beside the gate.
const GATE: u32 = 0x50;

/// Offsets in the recording's memory.
const ORDER: u64 = 1024;
const ANSWER: u64 = 1088;
const HOST: u64 = 1152;
const REGISTERS: u64 = 1216;
const PAYLOADS: u64 = 2048;
const STAGING: u64 = 3072;
const ARGS: u64 = 3584;
const RUN: u32 = 5;

#[test]
fn a_core_takes_its_tokens_in_order_across_the_wrap_and_leaves_on_exit() {
    for chip in Chip::ALL {
        let program = Program::build("cpp/aicore.cpp", chip, 4);
        // Three tokens behind one store of DATA_MAIN_BASE, then one more, then EXIT.
        let third = Token::new(TOKEN_LAST - 1)
            .expect("a token")
            .advance(2)
            .raw();
        let script = [
            DISPATCH_IDLE,
            third,
            third,
            third,
            third,
            TOKEN_FIRST + 1,
            DISPATCH_EXIT,
        ];
        let run = run_core(&program, chip.info(), 4, TOKEN_LAST - 1, 4, &script);
        let tokens = [TOKEN_LAST - 1, TOKEN_LAST, TOKEN_FIRST, TOKEN_FIRST + 1];
        let mut expected = vec![COND_IDLE];
        expected.extend(tokens.iter().flat_map(|token| [*token, COND_FIN | token]));
        expected.push(COND_EXITED);
        assert_eq!(conds(&run, chip.info()), expected);
        for token in tokens {
            check_order_of_one_token(&run, chip.info(), token);
        }
        let answer: CoreAnswer = run.read(ANSWER);
        assert_eq!((answer.answer_run, answer.exited_run), (RUN, RUN));
        assert_eq!((answer.physical_core, answer.core_type), (7, 0));
        assert_eq!((answer.phase, answer.error), (Phase::Done as u32, 0));
        assert_eq!((answer.token, answer.ring_size), (TOKEN_FIRST + 1, 4));
        assert_eq!(answer.abi_hash, ABI_HASH);
    }
}

#[test]
fn the_answer_of_a_core_is_visible_before_the_word_that_says_so() {
    for chip in Chip::ALL {
        let program = Program::build("cpp/aicore.cpp", chip, 2);
        let script = [TOKEN_FIRST, DISPATCH_EXIT];
        let run = run_core(&program, chip.info(), 2, TOKEN_FIRST, 4, &script);
        let line = recording::BASE + ANSWER;
        let place = |field: usize| line + field as u64;
        let says_so = [
            place(offset_of!(CoreAnswer, answer_run)),
            place(offset_of!(CoreAnswer, exited_run)),
        ];
        // Words of the line stored since it was last made visible.
        let mut stored = Vec::new();
        let mut visible_words = Vec::new();
        let mut is_cleaned = false;
        for call in &run.calls {
            match *call {
                Call::Store32(address, _) | Call::Store64(address, _) if address & !63 == line => {
                    let words: &[u64] = &stored;
                    assert!(
                        !says_so.contains(&address)
                            || words.iter().all(|word| says_so.contains(word)),
                        "{address:#x} is stored while {words:x?} are on their way"
                    );
                    stored.push(address);
                    is_cleaned = false;
                }
                Call::Clean(address) if address == line => is_cleaned = true,
                Call::Barrier(_) if is_cleaned => visible_words.append(&mut stored),
                _ => {}
            }
        }
        assert_eq!(stored, [], "all of it becomes visible");
        for word in says_so {
            assert!(visible_words.contains(&word));
        }
    }
}

#[test]
fn at_level_0_nothing_is_published_and_no_time_is_taken() {
    let program = Program::build("cpp/aicore.cpp", Chip::A2a3, 2);
    let script = [TOKEN_FIRST, DISPATCH_EXIT];
    let run = run_core(&program, Chip::A2a3.info(), 2, TOKEN_FIRST, 0, &script);
    let expected = [COND_IDLE, TOKEN_FIRST, COND_FIN | TOKEN_FIRST, COND_EXITED];
    assert_eq!(conds(&run, Chip::A2a3.info()), expected);
    let slot: TaskSlot = run.read(STAGING);
    assert_eq!(slot, TaskSlot::default());
    let begin = run.position(|call| matches!(call, Call::WriteReg(_, TOKEN_FIRST)));
    let end = run.position(|call| matches!(call, Call::Kernel(..)));
    assert!(!run.calls[begin..end].contains(&Call::Ticks));
}

#[test]
fn the_payload_of_another_token_is_not_run() {
    let program = Program::build("cpp/aicore.cpp", Chip::A2a3, 2);
    let mut memory = memory(Chip::A2a3.info(), 2, TOKEN_FIRST, 4);
    let payload = Payload {
        token: TOKEN_FIRST + 2,
        ..payload(TOKEN_FIRST)
    };
    put(&mut memory, PAYLOADS, &payload);
    let run = program.run(memory, Chip::A2a3.info(), &[TOKEN_FIRST, DISPATCH_EXIT]);
    assert!(
        !run.calls
            .iter()
            .any(|call| matches!(call, Call::Kernel(..)))
    );
    let answer: CoreAnswer = run.read(ANSWER);
    assert_eq!(answer.error, DeviceError::Internal as u32);
    assert_eq!(
        *conds(&run, Chip::A2a3.info())
            .last()
            .expect("COND was written"),
        COND_EXITED
    );
}

#[test]
fn a_core_without_an_order_gives_up_at_its_limit_or_at_the_hosts_word() {
    let program = Program::build("cpp/aicore.cpp", Chip::A2a3, 2);
    for (abort_run, error) in [
        (0, DeviceError::HandshakeTimeout),
        (RUN, DeviceError::Aborted),
    ] {
        let mut memory = memory(Chip::A2a3.info(), 2, TOKEN_FIRST, 4);
        put(&mut memory, ORDER, &CoreOrder::default());
        let host = HostLine {
            abort_run,
            ..HostLine::default()
        };
        put(&mut memory, HOST, &host);
        let run = program.run(memory, Chip::A2a3.info(), &[]);
        let answer: CoreAnswer = run.read(ANSWER);
        assert_eq!((answer.error, answer.exited_run), (error as u32, RUN));
        assert!(
            conds(&run, Chip::A2a3.info()).is_empty(),
            "its registers are not open"
        );
    }
}

#[test]
fn a_core_whose_registers_stay_shut_gives_up_at_its_limit() {
    let program = Program::build("cpp/aicore.cpp", Chip::A2a3, 2);
    let mut memory = memory(Chip::A2a3.info(), 2, TOKEN_FIRST, 4);
    let order = CoreOrder {
        ready_run: RUN,
        registers_run: 0,
        first_token: TOKEN_FIRST,
        ..CoreOrder::default()
    };
    put(&mut memory, ORDER, &order);
    let run = program.run(memory, Chip::A2a3.info(), &[]);
    let answer: CoreAnswer = run.read(ANSWER);
    let late = DeviceError::HandshakeTimeout as u32;
    assert_eq!((answer.error, answer.exited_run), (late, RUN));
    let answered = recording::BASE + ANSWER + offset_of!(CoreAnswer, answer_run) as u64;
    let looked = recording::BASE + ORDER + offset_of!(CoreOrder, registers_run) as u64;
    let first = |wanted: Call| run.calls.iter().position(|call| *call == wanted);
    let answered = first(Call::Store32(answered, RUN)).expect("it answers");
    let looked = first(Call::Load32(looked)).expect("it looks");
    assert!(answered < looked, "it has answered before it waits");
    assert!(conds(&run, Chip::A2a3.info()).is_empty());
}

#[test]
fn a_core_between_tokens_leaves_at_the_hosts_word() {
    for chip in Chip::ALL {
        let program = Program::build("cpp/aicore.cpp", chip, 2);
        let mut memory = memory(chip.info(), 2, TOKEN_FIRST, 4);
        let host = HostLine {
            abort_run: RUN,
            ..HostLine::default()
        };
        put(&mut memory, HOST, &host);
        // No AICPU is left to write EXIT.
        let run = program.run(memory, chip.info(), &[DISPATCH_IDLE; 5000]);
        let answer: CoreAnswer = run.read(ANSWER);
        let aborted = DeviceError::Aborted as u32;
        assert_eq!((answer.error, answer.exited_run), (aborted, RUN));
        let host = recording::BASE + HOST;
        let load = run
            .calls
            .iter()
            .rposition(|call| *call == Call::Load32(host));
        let load = load.expect("the host's line is read");
        assert_eq!(run.calls[load - 1], Call::Invalidate(host));
        assert_eq!(conds(&run, chip.info()), [COND_IDLE, COND_EXITED]);
    }
}

#[test]
fn a_header_of_another_ring_size_or_abi_is_refused() {
    let program = Program::build("cpp/aicore.cpp", Chip::A2a3, 2);
    let run = program.run(
        memory(Chip::A2a3.info(), 4, TOKEN_FIRST, 4),
        Chip::A2a3.info(),
        &[],
    );
    let answer: CoreAnswer = run.read(ANSWER);
    assert_eq!(answer.error, DeviceError::AbiMismatch as u32);
    assert_eq!(answer.ring_size, 2);
    let mut other = memory(Chip::A2a3.info(), 2, TOKEN_FIRST, 4);
    other[8] ^= 1;
    let run = program.run(other, Chip::A2a3.info(), &[]);
    let is_store = |call: &Call| matches!(call, Call::Store32(..) | Call::Store64(..));
    assert!(
        !run.calls.iter().any(is_store),
        "an unknown layout is not written to"
    );
}

fn run_core(
    program: &Program,
    chip: &'static ChipInfo,
    ring_size: u32,
    first_token: u32,
    level: u32,
    script: &[u32],
) -> Recording {
    program.run(memory(chip, ring_size, first_token, level), chip, script)
}

/// A control region for one core whose order has been given.
fn memory(chip: &ChipInfo, ring_size: u32, first_token: u32, level: u32) -> Vec<u8> {
    let mut memory = vec![0; 4096];
    let section = |offset_bytes: u64, stride_bytes: u32| Section {
        offset_bytes,
        count: 1,
        stride_bytes,
    };
    let header = ControlHeader {
        magic: CONTROL_MAGIC,
        abi_hash: ABI_HASH,
        chip: chip.chip as u32,
        ring_size,
        core_count: 1,
        run_id: RUN,
        handshake_limit_ticks: 1000,
        host: section(HOST, 64),
        orders: section(ORDER, 64),
        answers: section(ANSWER, 64),
        registers: section(REGISTERS, 8),
        ..ControlHeader::default()
    };
    put(&mut memory, 0, &header);
    put(&mut memory, ORDER, &order(first_token, level));
    let mut token = Token::new(first_token).expect("a token");
    for _ in 0..ring_size {
        let slot = u64::from(token.slot(ring_size));
        put(
            &mut memory,
            PAYLOADS + slot * LINE_BYTES,
            &payload(token.raw()),
        );
        token = token.next();
    }
    memory
}

fn order(first_token: u32, level: u32) -> CoreOrder {
    CoreOrder {
        ready_run: RUN,
        registers_run: RUN,
        first_token,
        swimlane_level: level,
        staging_address: recording::BASE + STAGING,
        payload_address: recording::BASE + PAYLOADS,
        slot_lines: 1,
        ..CoreOrder::default()
    }
}

fn payload(token: u32) -> Payload {
    Payload {
        kernel_address: 0x7000 + u64::from(token),
        args_address: recording::BASE + ARGS + 8,
        arg_count: 9,
        token,
        run_id: RUN,
        ..Payload::default()
    }
}

fn put<T: zerocopy::IntoBytes + zerocopy::Immutable>(memory: &mut [u8], at: u64, value: &T) {
    let at = usize::try_from(at).expect("inside");
    let bytes = value.as_bytes();
    memory[at..at + bytes.len()].copy_from_slice(bytes);
}

fn conds(run: &Recording, chip: &ChipInfo) -> Vec<u32> {
    let cond = u64::from(chip.registers.cond);
    let value = |call: &Call| match *call {
        Call::WriteReg(address, value) if address == cond => Some(value),
        _ => None,
    };
    run.calls.iter().filter_map(value).collect()
}

/// Receive tick, ACK, payload and arguments invalidated, start tick, kernel, end tick, slot, clean,
/// barrier, FIN.
fn check_order_of_one_token(run: &Recording, chip: &ChipInfo, token: u32) {
    let cond = u64::from(chip.registers.cond);
    let ack = run.position(|call| *call == Call::WriteReg(cond, token));
    let kernel = recording::BASE + ARGS + 8;
    let kernel = Call::Kernel(0x7000 + u64::from(token), kernel);
    let kernel = run.position(|call| *call == kernel);
    let fin = run.position(|call| *call == Call::WriteReg(cond, COND_FIN | token));
    assert_eq!(run.calls[ack - 1], Call::Ticks, "the receive tick");
    assert_eq!(run.calls[kernel - 1], Call::Ticks, "the start tick");
    assert_eq!(run.calls[kernel + 1], Call::Ticks, "the end tick");
    let slot = u64::from(token % 4);
    let payload = recording::BASE + PAYLOADS + slot * 64;
    let args = recording::BASE + ARGS;
    for line in [payload, args, args + 64] {
        assert!(run.calls[ack..kernel].contains(&Call::Invalidate(line)));
    }
    let staging = recording::BASE + STAGING + slot * 64;
    let published = &run.calls[kernel + 2..fin];
    let seal = staging + offset_of!(TaskSlot, seal) as u64;
    assert_eq!(published.len(), 7);
    assert_eq!(published[4], Call::Store64(seal, u64::from(token)));
    assert_eq!(published[5..], [Call::Clean(staging), Call::Barrier(1)]);
}
