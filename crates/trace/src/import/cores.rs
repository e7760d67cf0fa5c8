//! What files say of the AICPU threads that own the cores.

use super::draft::Draft;
use super::json::{self, Source, Step};

/// Takes the thread of each core; `null` and numbers below 0 stand for none.
pub(super) fn core_to_thread(reader: &mut Source, draft: &mut Draft) -> Step {
    if reader.null()? {
        return Ok(());
    }
    let mut cores = 0..=u16::MAX;
    json::each(reader, "an array of thread numbers", |reader| {
        let thread = match reader.null()? {
            true => -1,
            false => reader.integer("the number of an AICPU thread, or -1")?,
        };
        let core = cores.next();
        let core = core.ok_or_else(|| reader.error("more than 65536 cores"))?;
        let owned = draft.own(core, thread);
        owned.map_err(|text| reader.error(text))
    })
}
