//! Counter events of our own export as the rows of counters they were made of.

use super::super::draft::RUN_ID;
use super::event::Event;
use super::{CoreName, Events, Shows};
use lanescope_abi::{PmuEvent, PmuRecord};

impl Events<'_> {
    /// Takes counters that say which task they are of; those of other programs have no place.
    pub(super) fn counters(&mut self, event: &Event) -> Result<(), String> {
        match self.counted(event)? {
            Some((thread, record)) => {
                self.draft.pmu_event = self.draft.pmu_event.or(Some(record.event));
                self.draft.counters(thread, record)
            }
            None => {
                self.leave_out();
                Ok(())
            }
        }
    }

    fn counted(&mut self, event: &Event) -> Result<Option<(u32, PmuRecord)>, String> {
        let said = &event.counted;
        let known = self.draft.chip.zip(said.event);
        let event_type: Option<&PmuEvent> =
            known.and_then(|(chip, number)| chip.info().pmu_event(u32::try_from(number).ok()?));
        let name = event.name.strip_suffix(" counters").unwrap_or_default();
        let found = event_type
            .zip(said.task_id)
            .zip(event.args.total_cycles)
            .filter(|_| self.tracks.shows(event) == Shows::Kernels);
        let Some(((event_type, task_id), total_cycles)) = found else {
            return Ok(None);
        };
        let Some((core, core_type)) = self.core(CoreName::of(name), event) else {
            return Ok(None);
        };
        let narrow = |value: Option<u64>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
        let mut record = PmuRecord {
            task_id,
            func_id: narrow(said.func_id),
            core,
            core_type: core_type as u8,
            token: narrow(said.token),
            run_id: RUN_ID,
            total_cycles,
            event: event_type.number,
            ticks: self.known_time(Some(event.at_ns())),
            ..PmuRecord::default()
        };
        for &(column, value) in &event.args.columns {
            let slot = event_type.columns().find(|&(_, name)| name == column);
            if let Some((slot, _)) = slot {
                record.counters[slot] = u32::try_from(value)
                    .map_err(|_| format!("{column} {value}, expected a count of 32 bits"))?;
            }
        }
        Ok(Some((narrow(said.thread), record)))
    }
}
