//! Every frame comes back as it was sent, and no bytes at all do harm.

use lanescope_abi::Chip;
use lanescope_sim_wire::{DeviceFrame, Frame, HostFrame, MAX_FRAME_BYTES, WireError};
use proptest::prelude::*;

fn host_frame() -> impl Strategy<Value = HostFrame> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        (
            prop::sample::select(&Chip::ALL[..]),
            any::<u64>(),
            any::<u32>(),
            prop::collection::vec((any::<String>(), any::<String>()), 0..4)
        )
            .prop_map(
                |(chip, memory_bytes, driver_id, settings)| HostFrame::Hello {
                    chip,
                    memory_bytes,
                    driver_id,
                    settings
                }
            ),
        any::<(String, String)>().prop_map(|(name, value)| HostFrame::Setting { name, value }),
        any::<u64>().prop_map(|limit_us| HostFrame::OpLimit { limit_us }),
        (any::<(u32, u64, String, String, u32)>(), bytes()).prop_map(
            |((stream, task, so_name, kernel_name, blocks), args)| HostFrame::LaunchAicpu {
                stream,
                task,
                so_name,
                kernel_name,
                blocks,
                args
            }
        ),
        (any::<(u32, u64, String, String, u32)>(), bytes()).prop_map(
            |((stream, task, file, function, blocks), args)| HostFrame::LaunchByName {
                stream,
                task,
                file,
                function,
                blocks,
                args
            }
        ),
        (any::<u64>(), bytes()).prop_map(|(handle, image)| HostFrame::LoadAicore { handle, image }),
        any::<u64>().prop_map(|handle| HostFrame::UnloadAicore { handle }),
        (any::<(u32, u64, u64, u64, u32)>(), bytes()).prop_map(
            |((stream, task, handle, tiling_key, blocks), args)| HostFrame::LaunchAicore {
                stream,
                task,
                handle,
                tiling_key,
                blocks,
                args
            }
        ),
    ]
}

fn device_frame() -> impl Strategy<Value = DeviceFrame> {
    prop_oneof![
        Just(DeviceFrame::Ready),
        any::<(u32, u64, i32)>().prop_map(|(stream, task, code)| DeviceFrame::Done {
            stream,
            task,
            code
        }),
        any::<String>().prop_map(|text| DeviceFrame::Note { text }),
    ]
}

lanescope_stress::properties! {
    256 cases;

    #[test]
    fn host_frames_round_trip(frames in prop::collection::vec(host_frame(), 0..6)) {
        let mut socket = Vec::new();
        for frame in &frames {
            frame.send(&mut socket).unwrap();
        }
        let mut socket = socket.as_slice();
        for frame in frames {
            prop_assert_eq!(HostFrame::receive(&mut socket).unwrap(), Some(frame));
        }
        prop_assert_eq!(HostFrame::receive(&mut socket).unwrap(), None);
    }

    #[test]
    fn device_frames_round_trip(frame in device_frame()) {
        let bytes = frame.to_bytes().unwrap();
        let mut socket = bytes.as_slice();
        prop_assert_eq!(DeviceFrame::receive(&mut socket).unwrap(), Some(frame));
    }

    #[test]
    fn a_cut_frame_is_an_error(frame in host_frame(), at in any::<prop::sample::Index>()) {
        let bytes = frame.to_bytes().unwrap();
        let cut = 1 + at.index(bytes.len() - 1);
        let result = HostFrame::receive(&mut &bytes[..cut]);
        prop_assert!(matches!(result, Err(WireError::Truncated { .. })), "{:?}", result);
    }

    #[test]
    fn a_shortened_body_is_an_error(frame in host_frame(), at in any::<prop::sample::Index>()) {
        let bytes = frame.to_bytes().unwrap();
        let body = &bytes[4..];
        prop_assert!(HostFrame::from_body(&body[..at.index(body.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(frame) = HostFrame::from_body(&bytes) {
            prop_assert_eq!(&frame.to_bytes().unwrap()[4..], bytes.as_slice());
        }
        if let Ok(frame) = DeviceFrame::from_body(&bytes) {
            prop_assert_eq!(&frame.to_bytes().unwrap()[4..], bytes.as_slice());
        }
        let mut socket = bytes.as_slice();
        while let Ok(Some(_)) = HostFrame::receive(&mut socket) {}
    }
}

#[test]
fn a_frame_that_is_too_long_is_refused_on_both_sides() {
    let frame = HostFrame::LoadAicore {
        handle: 1,
        image: vec![0; MAX_FRAME_BYTES as usize],
    };
    let mut sent = Vec::new();
    let refused = frame.send(&mut sent);
    assert!(matches!(refused, Err(WireError::TooLong { .. })));
    assert!(sent.is_empty());

    let mut socket = &(MAX_FRAME_BYTES + 1).to_le_bytes()[..];
    let refused = DeviceFrame::receive(&mut socket);
    assert!(matches!(refused, Err(WireError::TooLong { .. })));
}

#[test]
fn a_count_promises_nothing() {
    let mut hello = HostFrame::Hello {
        chip: Chip::A5,
        memory_bytes: 0,
        driver_id: 0,
        settings: Vec::new(),
    }
    .to_bytes()
    .unwrap();
    let count = hello.len() - 4;
    hello[count..].copy_from_slice(&u32::MAX.to_le_bytes());
    let refused = HostFrame::from_body(&hello[4..]);
    assert!(
        matches!(refused, Err(WireError::Truncated { .. })),
        "{refused:?}"
    );
}

#[test]
fn errors_say_what_is_wrong() {
    let unknown = HostFrame::from_body(&[200]).unwrap_err();
    assert_eq!(unknown.to_string(), "unknown frame tag 200");
    let empty = DeviceFrame::from_body(&[]).unwrap_err();
    assert_eq!(empty.to_string(), "frame ends inside its tag");
    let more = DeviceFrame::from_body(&[65, 0]).unwrap_err();
    assert_eq!(more.to_string(), "frame has 1 bytes behind its last field");
}
