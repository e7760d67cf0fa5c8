//! The collector of tensors: records whose payloads come through the arenas of their lanes.

use crate::collector::whole;
use crate::{Collector, Findings, LaneSettings, Ledger, PayloadPlace, RecordKey, RecordPart};
use lanescope_abi::{Kind, Stage, TensorRecord};
use lanescope_capture::{FindingKind, SessionInfo};
use zerocopy::FromBytes;

/// Collects [`TensorRecord`]s. The tensors before dispatch are one stream of a core and those after
/// completion another: in each, tokens and arguments ascend.
#[derive(Debug, Default)]
pub struct Dump {
    settings: LaneSettings,
    ledger: Ledger,
}

impl Dump {
    /// Few records: a tensor takes its room in the arena, of 16 MiB a thread.
    #[must_use]
    pub fn default_lanes() -> LaneSettings {
        LaneSettings {
            records_per_buffer: 64,
            arena_bytes: 16 << 20,
            ..LaneSettings::default()
        }
    }

    /// A collector with these lanes and arenas.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            ledger: Ledger::default(),
        }
    }
}

impl Collector for Dump {
    fn kind(&self) -> Kind {
        Kind::TENSOR
    }

    fn record_bytes(&self) -> u32 {
        TensorRecord::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        let streams = u32::try_from(Stage::ALL.len()).expect("two");
        self.ledger = Ledger::with_streams(session, streams);
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in whole::<TensorRecord>(records) {
            self.ledger
                .enter_part(thread, key(record), part(record), findings);
            tell_of_truncation(thread, record, findings);
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in whole::<TensorRecord>(records) {
            self.ledger.withdraw_part(thread, key(record), part(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn payload(&self, record: &[u8]) -> Option<PayloadPlace> {
        let record = TensorRecord::ref_from_bytes(record).ok()?;
        Some(PayloadPlace {
            begin: record.payload_begin,
            bytes: record.payload_bytes,
            sequence: record.sequence,
            checksum: record.checksum,
        })
    }
}

/// What a truncated record lacks is lost; one that lacks something without saying so is wrong.
fn tell_of_truncation(thread: u32, record: &TensorRecord, findings: &mut Findings) {
    let (here, whole) = (record.payload_bytes, record.tensor_bytes);
    let is_cut = here != whole;
    let kind = match (record.is_truncated != 0, is_cut) {
        (false, false) => return,
        (true, true) if here < whole => FindingKind::Truncated,
        _ => FindingKind::Corruption,
    };
    let (core, token, argument) = (record.core, record.token, record.tensor.arg_index);
    let says = match record.is_truncated {
        0 => "whole",
        _ => "truncated",
    };
    findings.add(kind, 1, || {
        format!(
            "argument {argument} of core {core}, token {token} from thread {thread}: {here} of {whole} \
             bytes, recorded as {says}"
        )
    });
}

fn key(record: &TensorRecord) -> RecordKey {
    RecordKey {
        run_id: record.run_id,
        core: record.core,
        core_type: record.core_type,
        token: record.token,
    }
}

fn part(record: &TensorRecord) -> RecordPart {
    RecordPart {
        stream: u32::from(record.stage),
        part: u32::from(record.tensor.arg_index),
    }
}
