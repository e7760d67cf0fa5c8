//! The ABI version and a hash over every layout and constant both sides rely on.

use crate::capture::{
    CAPTURE_MAGIC, CaptureHeader, CommitCounters, LaneConfig, LaneDevice, LaneHost, ReadyEntry,
};
use crate::control::{
    CONTROL_MAGIC, ControlHeader, CoreAnswer, CoreConfig, CoreOrder, GraphTask, HostLine, Payload,
    SchedulerWords, TaskTensor, ThreadStatus,
};
use crate::launch::{AicpuArgs, DeviceArgs, KernelCost};
use crate::record::{
    ArenaMark, PhaseRecord, PmuRecord, PmuSlot, TaskRecord, TaskSlot, TensorRecord, TensorShape,
};
use crate::{Section, token};
use core::mem::{offset_of, size_of};

/// Raised when a word changes its meaning without changing its place.
pub const ABI_VERSION: u32 = 2;

/// Stands for every layout and constant of this crate. A literal, so that the C headers carry it;
/// the build stops when it is not what the layouts say, and the error names the number to write.
pub const ABI_HASH: u64 = 0xA8F0_4555_FC36_27B7;

#[expect(
    clippy::cast_possible_truncation,
    reason = "only compiled where usize has 64 bits"
)]
#[cfg(target_pointer_width = "64")]
const _: [(); COMPUTED_HASH as usize] = [(); ABI_HASH as usize];

/// Hands every layout of this crate, with its fields, to the macro `$visit`.
macro_rules! layouts {
    ($visit:ident) => {
        $visit! {
            Section { offset_bytes, count, stride_bytes }
            ControlHeader {
                magic, abi_hash, abi_version, chip, ring_size, issue_depth, core_count, thread_count, run_id,
                swimlane_level, control_bytes, capture_address, capture_bytes, handshake_limit_ticks,
                scheduler_limit_ticks, task_count, host, cores, registers, orders, answers, threads, payloads,
                scheduler, tasks, args, successors, fan_in, ready, pmu_event, tensors, pmu_registers,
                tensor_piece_bytes,
            }
            HostLine { abort_run }
            CoreConfig { first_token, core_type, thread }
            CoreOrder {
                ready_run, registers_run, first_token, swimlane_level, staging_address, payload_address,
                dispatched, completed, thread, pmu_event, slot_lines,
            }
            CoreAnswer {
                answer_run, physical_core, core_type, ring_size, phase, error, token, exited_run, abi_hash,
                ticks, limit_ticks,
            }
            ThreadStatus {
                run_id, phase, error, core, token, data_main_base, cond, field, detail, begin_ticks, ticks,
                completed,
            }
            Payload { kernel_address, args_address, arg_count, token, task_id, run_id, func_id }
            GraphTask {
                task_id, kernel_address, args_address, arg_count, func_id, core_type, first_successor,
                successor_count, predecessor_count, first_tensor, tensor_count,
            }
            TaskTensor { tensor, raw_bytes, stages }
            TensorShape { address, arg_index, role, dtype, rank, shape, raw_shape, offsets, strides }
            SchedulerWords { ready_tail, ready_head, unfinished, entered, copied, fault }
            CaptureHeader {
                magic, abi_hash, capture_bytes, core_count, thread_count, ring_size, slot_lines, lane_count,
                lane_configs, lane_devices, lane_hosts, counters, staging,
            }
            LaneConfig {
                kind, thread, capacity, records_per_buffer, record_bytes, policy, block_limit_ticks,
                ready_offset_bytes, free_offset_bytes, buffers_offset_bytes, arena_offset_bytes, arena_bytes,
            }
            LaneDevice {
                ready_tail, free_head, filling_buffer, filling_count, sequence, waits, blocked_ticks, arena_tail,
            }
            LaneHost { ready_head, free_tail, arena_head }
            ReadyEntry { buffer, count, sequence }
            CommitCounters { total, mismatched, dropped }
            TaskRecord {
                task_id, func_id, core, core_type, token, run_id, dispatch_ticks, receive_ticks, start_ticks,
                end_ticks, finish_ticks,
            }
            TaskSlot { token, run_id, receive_ticks, start_ticks, end_ticks, seal }
            PhaseRecord {
                begin_ticks, end_ticks, sequence, run_id, phase, thread, round, tasks, hits, misses, task_id,
            }
            PmuRecord {
                task_id, func_id, core, core_type, token, run_id, total_cycles, counters, event, ticks,
            }
            PmuSlot { token, run_id, total_cycles, counters, seal }
            TensorRecord {
                task_id, func_id, core, core_type, token, run_id, tensor, stage, is_truncated, payload_begin,
                payload_bytes, tensor_bytes, sequence, checksum, ticks,
            }
            ArenaMark { sequence, payload_begin, payload_bytes, checksum }
            AicpuArgs { device_args, control_address }
            DeviceArgs { program_address, program_bytes, device_id, inner_address, inner_bytes, inner_fingerprint }
            KernelCost {
                exact_ticks, fixed_ns, cube_cycles, vector_cycles, scalar_cycles, read_bytes, write_bytes,
            }
        }
    };
}

/// FNV-1a over the version, the constants, and the size and field offsets of every structure.
const COMPUTED_HASH: u64 = {
    let mut hash = fold(0xCBF2_9CE4_8422_2325, ABI_VERSION as u64);
    hash = fold(hash, CONTROL_MAGIC);
    hash = fold(hash, CAPTURE_MAGIC);
    hash = fold(hash, token::TOKEN_FIRST as u64);
    hash = fold(hash, token::TOKEN_LAST as u64);
    hash = fold(hash, token::DISPATCH_IDLE as u64);
    hash = fold(hash, token::DISPATCH_EXIT as u64);
    hash = fold(hash, token::COND_IDLE as u64);
    hash = fold(hash, token::COND_EXITED as u64);
    hash = fold(hash, crate::MAX_TASK_ARGS as u64);
    macro_rules! fold_all {
        ($($name:ident { $($field:ident),+ $(,)? })+) => { $(
            hash = fold(hash, size_of::<$name>() as u64);
            $( hash = fold(hash, offset_of!($name, $field) as u64); )+
        )+ };
    }
    layouts!(fold_all);
    hash
};

/// A field of one of the structures both sides share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The structure.
    pub structure: &'static str,
    /// The field.
    pub name: &'static str,
    /// Where it begins in the structure.
    pub offset_bytes: usize,
    /// How long it is; an array as a whole.
    pub bytes: usize,
}

macro_rules! list_all {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {
        &[$($(
            Field {
                structure: stringify!($name),
                name: stringify!($field),
                offset_bytes: offset_of!($name, $field),
                bytes: bytes_of::<$name, _>(|structure| &structure.$field),
            },
        )+)+]
    };
}

/// Every field that [`ABI_HASH`] stands for, words that are always 0 left out; tests go through it
/// so that no new field is forgotten.
///
/// cbindgen:ignore
pub const FIELDS: &[Field] = layouts!(list_all);

const fn bytes_of<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

const fn fold(mut hash: u64, value: u64) -> u64 {
    let bytes = value.to_le_bytes();
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01B3);
        index += 1;
    }
    hash
}
