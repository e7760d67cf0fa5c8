//! A capture taken apart and put together again, as one would who knows the checksums.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "support of tests; each uses a part of it"
)]

use lanescope_abi::{Kind, TaskRecord};
use lanescope_capture::format::padding_bytes;
use lanescope_capture::{
    BlockHeader, Capture, CaptureWriter, Clock, CoreCounts, Counts, Edge, FileHeader, FunctionName,
    LaneCounts, LaneInfo, RecordBlock, SessionInfo, Verdict,
};
pub use lanescope_stress::Aligned;
use lanescope_stress::Numbers;
use std::mem::offset_of;
use zerocopy::{FromBytes, IntoBytes};

/// A capture in parts.
#[derive(Clone)]
pub struct Parts {
    pub file: FileHeader,
    pub blocks: Vec<Part>,
}

/// A block that may say anything.
#[derive(Clone)]
pub struct Part {
    pub header: BlockHeader,
    pub payload: Vec<u8>,
}

impl Parts {
    pub fn of(bytes: &[u8]) -> Self {
        let aligned = Aligned::new(bytes);
        let capture = Capture::from_bytes(aligned.bytes()).unwrap();
        assert_eq!(capture.damage(), []);
        let blocks = capture.blocks().iter().map(|block| Part {
            header: block.header,
            payload: block.payload.to_vec(),
        });
        Self {
            file: *capture.header(),
            blocks: blocks.collect(),
        }
    }

    /// The file, with headers as they are.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.file.as_bytes().to_vec();
        for Part { header, payload } in &self.blocks {
            bytes.extend(header.as_bytes());
            bytes.extend(payload);
            let padding = padding_bytes(payload.len() as u64);
            bytes.resize(bytes.len() + usize::try_from(padding).unwrap(), 0);
        }
        bytes
    }

    /// Numbers the blocks anew.
    pub fn renumber(&mut self) {
        for (ordinal, part) in (0..).zip(&mut self.blocks) {
            part.header.ordinal = ordinal;
        }
        self.seal();
    }

    /// Makes every checksum right.
    pub fn seal(&mut self) {
        let checked = offset_of!(FileHeader, header_checksum);
        self.file.header_checksum = crc32c::crc32c(&self.file.as_bytes()[..checked]);
        for Part { header, payload } in &mut self.blocks {
            header.payload_checksum = crc32c::crc32c(payload);
            let checked = offset_of!(BlockHeader, header_checksum);
            header.header_checksum = crc32c::crc32c(&header.as_bytes()[..checked]);
        }
    }
}

impl Part {
    /// Another payload, its length as the header says it.
    pub fn set_payload(&mut self, payload: Vec<u8>) {
        let items = u64::from(self.header.count).max(1);
        let item_bytes = payload.len() as u64 / items;
        self.header.record_bytes = u32::try_from(item_bytes).unwrap();
        self.header.payload_bytes = item_bytes * items;
        self.payload = payload;
    }

    /// Overwrites a field of the header.
    pub fn set_field(&mut self, offset: usize, value: &[u8]) {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.header.as_bytes());
        bytes[offset..offset + value.len()].copy_from_slice(value);
        self.header = BlockHeader::read_from_bytes(&bytes).unwrap();
    }
}

/// Two runs of two lanes, with every kind of block.
pub fn two_runs() -> Vec<u8> {
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    for run_id in [3, 4] {
        write_run(&mut writer, run_id);
    }
    writer.into_inner().unwrap()
}

fn write_run(writer: &mut CaptureWriter<Vec<u8>>, run_id: u32) {
    let lane = |thread| LaneInfo {
        kind: Kind::TASK,
        thread,
        buffers: 4,
        records_per_buffer: 4,
        record_bytes: 64,
        arena_bytes: 0,
        policy: lanescope_abi::capture::Policy::Block,
    };
    let session = SessionInfo {
        run_id,
        core_types: vec![lanescope_abi::CoreType::Aic; 2],
        core_to_thread: vec![0, 1],
        first_tokens: vec![16, 16],
        thread_count: 2,
        ticks_per_second: 50_000_000,
        lanes: vec![lane(0), lane(1)],
        task_count: Some(12),
        ..SessionInfo::default()
    };
    writer.session(&session).unwrap();
    let name = FunctionName {
        func_id: 3,
        name: "add".to_owned(),
    };
    writer.functions(run_id, &[name]).unwrap();
    let edge = |producer, consumer| Edge { producer, consumer };
    writer.edges(run_id, &[edge(0, 1), edge(1, 2)]).unwrap();
    let ids: Vec<u64> = (100..112).collect();
    writer.task_ids(run_id, &ids).unwrap();
    for (sequence, lane) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let records = (0..3).map(|index| record(run_id, lane, sequence, index));
        let records: Vec<TaskRecord> = records.collect();
        let block = RecordBlock {
            kind: Kind::TASK,
            lane,
            run_id,
            sequence,
            record_bytes: TaskRecord::BYTES,
            bytes: records.as_bytes(),
            checksum: RecordBlock::checksum(records.as_bytes()),
        };
        writer.records(&block).unwrap();
    }
    writer.clocks(run_id, &[Clock::default(); 2]).unwrap();
    let mut verdict = Verdict::new(run_id);
    verdict.totals.total = 12;
    verdict.totals.collected = 12;
    for core in 0..2 {
        let counts = Counts {
            total: 6,
            collected: 6,
            ..Counts::default()
        };
        verdict.cores.push(CoreCounts {
            kind: Kind::TASK,
            thread: core,
            core: Some(core),
            dispatched: 6,
            counts,
        });
        verdict.lanes.push(LaneCounts {
            kind: Kind::TASK,
            thread: core,
            buffers: 2,
            waits: 1,
            blocked_ticks: 40,
            payload_bytes: 0,
        });
    }
    writer.verdict(&verdict).unwrap();
    writer.end_run(run_id).unwrap();
}

fn record(run_id: u32, lane: u32, sequence: u64, index: u32) -> TaskRecord {
    let number = u32::try_from(sequence).unwrap() * 3 + index;
    let ticks = 1000 + u64::from(number) * 10;
    TaskRecord {
        task_id: 100 + u64::from(number * 2 + lane),
        func_id: 3,
        core: u16::try_from(lane).unwrap(),
        token: 16 + number,
        run_id,
        dispatch_ticks: ticks,
        receive_ticks: ticks + 1,
        start_ticks: ticks + 2,
        end_ticks: ticks + 8,
        finish_ticks: ticks + 9,
        ..TaskRecord::default()
    }
}

/// Changes one thing about a capture: a header, a payload, or the order of the blocks.
pub fn change(parts: &mut Parts, numbers: &mut Numbers) {
    let number = numbers.below(parts.blocks.len());
    let value = numbers.draw().to_le_bytes();
    match numbers.below(6) {
        0 => {
            let field = numbers.below(60);
            let bytes = 1 + numbers.below(4.min(60 - field));
            parts.blocks[number].set_field(field, &value[..bytes]);
        }
        1 if !parts.blocks[number].payload.is_empty() => {
            let payload = &mut parts.blocks[number].payload;
            let at = numbers.below(payload.len());
            payload[at] = value[0];
        }
        2 => {
            let mut payload = parts.blocks[number].payload.clone();
            payload.truncate(numbers.below(payload.len() + 1));
            parts.blocks[number].set_payload(payload);
        }
        3 => {
            let part = parts.blocks[number].clone();
            let to = numbers.below(parts.blocks.len());
            parts.blocks.insert(to, part);
        }
        4 => {
            let other = numbers.below(parts.blocks.len());
            parts.blocks.swap(number, other);
        }
        _ if parts.blocks.len() > 1 => {
            parts.blocks.remove(number);
        }
        _ => {}
    }
}
