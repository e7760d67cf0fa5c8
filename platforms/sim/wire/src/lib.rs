//! What the simulated driver and its device process say to each other.
//!
//! # Where it sits
//!
//! The driver (inside the host program) starts one device process per open device, with one end of
//! a stream socket as file descriptor [`SOCKET_FD`] and device memory as [`MEMORY_FD`]. It sends
//! [`HostFrame`]s and receives [`DeviceFrame`]s. When the driver closes its end, the device process
//! exits at once.
//!
//! # Ordering
//!
//! [`HostFrame::Hello`] comes first, and [`DeviceFrame::Ready`] answers it. Frames arrive in the
//! order they were sent. Tasks of one stream run in that order, tasks of different streams run in
//! parallel; each task is answered by exactly one [`DeviceFrame::Done`]. A
//! [`DeviceFrame::Note`] belongs to the next `Done` that reports a failure.
//!
//! Device memory needs no frame: the driver copies to and from the shared file itself, and a copy
//! that has returned is visible to a task whose launch frame is sent afterwards.
//!
//! # Errors
//!
//! Whatever the bytes, reading ends in a frame or a [`WireError`]; nothing longer than
//! [`MAX_FRAME_BYTES`] is read.

mod codec;
mod frame;
mod layout;
mod setting;

pub use codec::{Frame, WireError};
pub use frame::{DeviceFrame, HostFrame};
pub use layout::{
    CLUSTERS_A5_PER_DIE, CUBE_CORES_A2A3, DEVICE_MEMORY_ADDRESS, RegisterPage, aicore_occupancy,
    cluster_cube_core, counter_page, physical_core, register_page, register_window,
};
pub use setting::{
    AicpuEntry, AicpuError, Corrupt, CorruptWord, DeviceSettings, NoBuffer, SettingError,
    StaleLine, StaleWords, Which,
};

/// The device process's end of the socket.
pub const SOCKET_FD: i32 = 3;

/// Device memory, a file as long as [`HostFrame::Hello`] says.
pub const MEMORY_FD: i32 = 4;

/// The longest frame, its length word not counted.
pub const MAX_FRAME_BYTES: u32 = 64 << 20;

/// Device memory of a device, unless the setting `memory-bytes` says otherwise.
pub const DEFAULT_MEMORY_BYTES: u64 = 4 << 30;

/// Code of a [`DeviceFrame::Done`] whose task did all it should.
pub const DONE_OK: i32 = 0;
