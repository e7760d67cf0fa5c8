//! The collector of phases: what the AICPU threads do between tasks.

use crate::collector::whole;
use crate::{Collector, Findings, LaneSettings, Ledger, SequenceKey};
use lanescope_abi::{Kind, PhaseRecord};
use lanescope_capture::SessionInfo;

/// Collects [`PhaseRecord`]s; the second lane of the swimlane, from level 3 on.
#[derive(Debug, Default)]
pub struct Phases {
    settings: LaneSettings,
    ledger: Ledger,
}

impl Phases {
    /// Half the bytes of the tasks' lanes: 4 MiB on four threads.
    #[must_use]
    pub fn default_lanes() -> LaneSettings {
        LaneSettings {
            records_per_buffer: 512,
            ..LaneSettings::default()
        }
    }

    /// A collector with these lanes.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            ledger: Ledger::default(),
        }
    }
}

impl Collector for Phases {
    fn kind(&self) -> Kind {
        Kind::PHASE
    }

    fn record_bytes(&self) -> u32 {
        PhaseRecord::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        self.ledger = Ledger::of_threads(session);
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in whole::<PhaseRecord>(records) {
            self.ledger.enter_sequence(thread, key(record), findings);
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in whole::<PhaseRecord>(records) {
            self.ledger.withdraw_sequence(thread, key(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn key(record: &PhaseRecord) -> SequenceKey {
    SequenceKey {
        run_id: record.run_id,
        thread: u32::from(record.thread),
        sequence: u64::from(record.sequence),
    }
}
