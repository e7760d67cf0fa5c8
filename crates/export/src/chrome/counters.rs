//! Hardware counters as counter events.

use super::{KERNELS, Writer};
use lanescope_trace::{Chip, PmuRow};
use std::fmt::Write as _;
use std::io::Write;

impl<W: Write> Writer<'_, W> {
    /// The values are arguments, since viewers draw every argument; whose they are stands beside them.
    pub(super) fn counters(&mut self, row: &PmuRow) {
        let session = self.trace.session();
        let chip = session.chip.unwrap_or(Chip::A2a3);
        let Some(event) = chip.info().pmu_event(row.event).filter(|_| row.ticks != 0) else {
            self.written.undrawn_counters += 1;
            return;
        };
        self.event("C", KERNELS, u64::from(row.core));
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        let core = session.core_name(usize::from(row.core));
        let _ = write!(name, "{core} counters");
        self.name(&name);
        self.name = name;
        self.at(row.ticks);
        self.text.raw(",");
        self.argument("task_id", row.task_id, true);
        self.argument("func_id", u64::from(row.func_id), false);
        self.argument("thread", u64::from(row.thread), false);
        self.argument("token", u64::from(row.token), false);
        self.argument("event", u64::from(row.event), false);
        self.text.raw(",\"args\":{");
        self.argument("total_cycles", row.total_cycles, true);
        for (counter, column) in event.columns() {
            self.argument(column, u64::from(row.counters[counter]), false);
        }
        self.text.raw("}}");
    }
}
