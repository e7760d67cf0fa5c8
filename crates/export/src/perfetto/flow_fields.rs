//! The flows of a row as fields of its track event.

use super::wire::Wire;
use crate::flows::RowFlows;

/// A key of two bytes and the flow id.
const FLOW_BYTES: usize = 10;
/// `TrackEvent.flow_ids`, field 47, eight bytes.
const BEGIN_KEY: [u8; 2] = [0xF9, 0x02];
/// `TrackEvent.terminating_flow_ids`, field 48, eight bytes.
const END_KEY: [u8; 2] = [0x81, 0x03];

/// Bytes that [`write`] writes.
#[inline]
pub(super) fn encoded_bytes(flows: &RowFlows<'_>) -> usize {
    (flows.begins().count() + flows.ends().len()) * FLOW_BYTES
}

/// Writes the fields into a track event.
#[inline]
pub(super) fn write(flows: &RowFlows<'_>, event: &mut Wire) {
    for edge in flows.begins() {
        event.raw(&flow(BEGIN_KEY, edge));
    }
    for edge in flows.ends() {
        event.raw(&flow(END_KEY, edge));
    }
}

/// One flow as a field; flow ids begin at 1.
#[inline]
fn flow(key: [u8; 2], edge: u64) -> [u8; FLOW_BYTES] {
    let mut field = [0; FLOW_BYTES];
    field[..2].copy_from_slice(&key);
    field[2..].copy_from_slice(&(edge + 1).to_le_bytes());
    field
}
