//! The swimlane collector: one record per executed task.

use crate::collector::whole;
use crate::{Collector, Expectation, Findings, LaneSettings, Ledger, RecordKey};
use lanescope_abi::{Kind, TaskRecord};
use lanescope_capture::SessionInfo;

/// Collects [`TaskRecord`]s.
#[derive(Debug, Default)]
pub struct Swimlane {
    settings: LaneSettings,
    ledger: Ledger,
}

impl Swimlane {
    /// A collector with these lanes.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            ledger: Ledger::default(),
        }
    }
}

impl Collector for Swimlane {
    fn kind(&self) -> Kind {
        Kind::TASK
    }

    fn record_bytes(&self) -> u32 {
        TaskRecord::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        self.ledger = Ledger::new(session);
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in whole::<TaskRecord>(records) {
            self.ledger.enter(thread, key(record), findings);
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in whole::<TaskRecord>(records) {
            self.ledger.withdraw(thread, key(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn expectation(&self) -> Expectation {
        Expectation::EachTask
    }
}

fn key(record: &TaskRecord) -> RecordKey {
    RecordKey {
        run_id: record.run_id,
        core: record.core,
        core_type: record.core_type,
        token: record.token,
    }
}
