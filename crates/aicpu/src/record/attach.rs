//! What a recorder does first: finds its lanes and its cores, and tells each core what it has to know.

use super::capture::{Capture, slot_lines};
use super::lanes::Lanes;
use super::state::RecordState;
use crate::{Control, Failure};
use core::mem::offset_of;
use lanescope_abi::control::CoreOrder;
use lanescope_abi::{Barrier, Device, LINE_BYTES, Token, is_mutant};

/// Opens the lanes of `thread`, takes note of its cores and fills their order lines up to, but not
/// including, `ready_run`.
pub(super) fn lanes_and_cores<'a, D: Device, const RING: usize>(
    control: &Control<'a, D>,
    thread: u32,
    state: &mut RecordState<RING>,
) -> Result<Lanes<'a, D>, Failure> {
    let capture = Capture::attach(control)?;
    let lanes = Lanes::attach(control, capture.as_ref(), thread)?;
    *state = RecordState::new();
    for index in 0..control.header.core_count {
        let assigned = control.core_config(index)?;
        if assigned.thread != thread {
            continue;
        }
        let core = &mut state.cores[index as usize];
        core.is_owned = true;
        core.core_type = assigned.core_type;
        core.oldest = assigned.first_token;
        core.order = control.header.orders.at(index);
        if let Some(tasks) = &lanes.tasks {
            core.counters = tasks.counters(index);
        }
        if let Some(pmu) = &lanes.pmu {
            core.pmu.counters = pmu.counters(index);
        }
        let mut staging_address = 0;
        if let Some(capture) = &capture {
            core.ring = capture.header.staging.at(index);
            staging_address = capture.region.address(core.ring);
        }
        fill_order(
            control,
            thread,
            index,
            assigned.first_token,
            staging_address,
        );
    }
    Ok(lanes)
}

/// Fills a core's order line, but for the two words that set the core going.
fn fill_order<D: Device>(
    control: &Control<'_, D>,
    thread: u32,
    core: u32,
    first_token: Token,
    staging_address: u64,
) {
    let (region, header) = (control.region, &control.header);
    let order = header.orders.at(core);
    let payloads = header.payloads.at(core * header.ring_size);
    let store32 = |field: usize, value: u32| region.store32(order + field as u64, value);
    let store64 = |field: usize, value: u64| region.store64(order + field as u64, value);
    store32(offset_of!(CoreOrder, first_token), first_token.raw());
    store32(offset_of!(CoreOrder, swimlane_level), header.swimlane_level);
    store64(offset_of!(CoreOrder, staging_address), staging_address);
    store64(
        offset_of!(CoreOrder, payload_address),
        region.address(payloads),
    );
    store64(offset_of!(CoreOrder, dispatched), 0);
    store64(offset_of!(CoreOrder, completed), 0);
    store32(offset_of!(CoreOrder, thread), thread);
    store32(offset_of!(CoreOrder, pmu_event), header.pmu_event);
    store32(offset_of!(CoreOrder, slot_lines), slot_lines(control));
    if !is_mutant("order-line-unfenced") {
        region.barrier(Barrier::Store);
    }
}

/// Payloads of a core are its slots side by side, a line each.
const _: () = assert!(size_of::<lanescope_abi::control::Payload>() as u64 == LINE_BYTES);
