//! The collector of hardware counters: one record per executed task.

use crate::collector::whole;
use crate::{Collector, Expectation, Findings, LaneSettings, Ledger, RecordKey};
use lanescope_abi::{ChipInfo, Kind, PmuRecord};
use lanescope_capture::{FindingKind, SessionInfo};

/// Collects [`PmuRecord`]s.
#[derive(Debug)]
pub struct Pmu {
    settings: LaneSettings,
    is_staged: bool,
    event: u32,
    ledger: Ledger,
}

impl Pmu {
    /// As many records as the tasks' lanes have, of twice the bytes, in buffers of half the number.
    #[must_use]
    pub fn default_lanes() -> LaneSettings {
        LaneSettings {
            records_per_buffer: 512,
            ..LaneSettings::default()
        }
    }

    /// A collector with these lanes.
    #[must_use]
    pub fn new(settings: LaneSettings, chip: &ChipInfo) -> Self {
        Self {
            settings,
            is_staged: chip.registers.pmu.is_read_by_core,
            event: 0,
            ledger: Ledger::default(),
        }
    }
}

impl Collector for Pmu {
    fn kind(&self) -> Kind {
        Kind::PMU
    }

    fn record_bytes(&self) -> u32 {
        PmuRecord::BYTES
    }

    fn lanes(&self) -> LaneSettings {
        self.settings
    }

    fn begin(&mut self, session: &SessionInfo) {
        self.ledger = Ledger::new(session);
        self.event = session.pmu_event;
    }

    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings) {
        for record in whole::<PmuRecord>(records) {
            self.ledger.enter(thread, key(record), findings);
            if record.event != self.event {
                let (core, token) = (record.core, record.token);
                let (event, expected) = (record.event, self.event);
                findings.add(FindingKind::WrongIdentity, 1, || {
                    format!(
                        "counters of core {core}, token {token} from thread {thread}: of event type \
                         {event}, expected {expected}"
                    )
                });
            }
        }
    }

    fn withdraw(&mut self, thread: u32, records: &[u8]) {
        for record in whole::<PmuRecord>(records) {
            self.ledger.withdraw(thread, key(record));
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn expectation(&self) -> Expectation {
        Expectation::EachTask
    }

    fn staged_lines(&self) -> u32 {
        u32::from(self.is_staged)
    }
}

fn key(record: &PmuRecord) -> RecordKey {
    RecordKey {
        run_id: record.run_id,
        core: record.core,
        core_type: record.core_type,
        token: record.token,
    }
}
