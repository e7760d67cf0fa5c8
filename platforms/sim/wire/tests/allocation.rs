//! What receiving a hostile frame allocates, counted by the allocator.

use lanescope_sim_wire::{DeviceFrame, Frame, HostFrame, MAX_FRAME_BYTES, WireError};
use lanescope_stress::{Counting, Effort, Numbers, Tried};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Bytes allocated for each byte received: settings with empty names and values take the most.
const PER_BYTE: usize = 24;
/// Bytes allocated for any frame.
const FOR_ANY: usize = 4096;

/// Receives frames of both directions until one is refused.
fn assert_bounded(bytes: &[u8]) {
    let taken = ALLOCATOR.most_during(|| {
        let mut socket = bytes;
        while let Ok(Some(frame)) = HostFrame::receive(&mut socket) {
            drop(frame);
        }
        let mut socket = bytes;
        while let Ok(Some(frame)) = DeviceFrame::receive(&mut socket) {
            drop(frame);
        }
    });
    let limit = bytes.len() * PER_BYTE + FOR_ANY;
    assert!(taken <= limit, "{taken} bytes for {}", bytes.len());
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// One test: allocations of another would be counted too.
#[test]
fn frames_of_any_bytes_take_no_more_memory_than_they_are_long() {
    // A length that is never kept: nothing is reserved for it.
    assert_bounded(&MAX_FRAME_BYTES.to_le_bytes());
    let mut longer = &(MAX_FRAME_BYTES + 1).to_le_bytes()[..];
    assert!(matches!(
        HostFrame::receive(&mut longer),
        Err(WireError::TooLong { .. })
    ));
    // A hello of settings without names.
    let mut hello = vec![1, 1, 0, 0, 0];
    hello.extend([0; 12]);
    hello.extend(100_000_u32.to_le_bytes());
    hello.extend(vec![0; 800_000]);
    assert!(HostFrame::from_body(&hello).is_ok());
    assert_bounded(&framed(&hello));

    let effort = Effort::new(
        "frames_of_any_bytes_take_no_more_memory_than_they_are_long",
        20_000,
    );
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut next = || numbers.draw().to_be_bytes();
        let [tag, length, ..] = next();
        let tags = [1, 2, 3, 4, 5, 6, 7, 8, 65, 66, 67, 200];
        let mut body = vec![tags[usize::from(tag) % tags.len()]];
        for _ in 0..length % 24 {
            let [kind, one, two, ..] = next();
            match kind % 4 {
                0 => body.extend([0; 4]),
                1 => body.extend(u32::from(one % 40).to_le_bytes()),
                2 => body.extend([0xFF; 4]),
                _ => body.extend([one, two]),
            }
        }
        effort.add(Tried::Bytes, body.len() as u64);
        assert_bounded(&framed(&body));
        assert_bounded(&body);
        for (result, expected) in [
            (
                HostFrame::from_body(&body).map(|frame| frame.to_bytes()),
                &body,
            ),
            (
                DeviceFrame::from_body(&body).map(|frame| frame.to_bytes()),
                &body,
            ),
        ] {
            match result {
                Ok(bytes) => assert_eq!(&bytes.expect("short")[4..], &expected[..], "seed {seed}"),
                Err(error) => assert!(error.to_string().len() < 200),
            }
        }
    }
}
