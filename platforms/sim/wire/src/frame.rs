//! The frames, one type per direction.

use crate::codec::{Frame, Reader, WireError, Writer};
use lanescope_abi::Chip;

/// What the driver sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostFrame {
    /// What the device is; always first.
    Hello {
        /// The chip.
        chip: Chip,
        /// Length of the file, mapped as a whole from [`crate::DEVICE_MEMORY_ADDRESS`]. Devices of
        /// one host use different parts of that range; what a device does not use is sparse.
        memory_bytes: u64,
        /// Driver-visible id of the device.
        driver_id: u32,
        /// Settings as name and value, in the order they were given; the last of a name counts.
        settings: Vec<(String, String)>,
    },
    /// A setting given after the start; counts from the next launch on. An empty value, or `off`,
    /// takes the setting back.
    Setting {
        /// Name.
        name: String,
        /// Value, already checked by the driver.
        value: String,
    },
    /// Longest time a task may run; 0 means no limit.
    OpLimit {
        /// Virtual microseconds.
        limit_us: u64,
    },
    /// An AICPU task of the classic form.
    LaunchAicpu {
        /// Stream.
        stream: u32,
        /// Sequence number of the task on its stream.
        task: u64,
        /// Name of the shared object, from the argument blob.
        so_name: String,
        /// Name of the kernel, from the argument blob.
        kernel_name: String,
        /// How often the entry is called, each call on an AICPU thread of its own.
        blocks: u32,
        /// The whole argument blob.
        args: Vec<u8>,
    },
    /// An AICPU task of the by-name form.
    LaunchByName {
        /// Stream.
        stream: u32,
        /// Sequence number of the task on its stream.
        task: u64,
        /// Name under which the program was stored.
        file: String,
        /// Entry.
        function: String,
        /// How often the entry is called, each call on an AICPU thread of its own.
        blocks: u32,
        /// The argument bytes.
        args: Vec<u8>,
    },
    /// The bytes of a registered AICore program; sent before its first launch.
    LoadAicore {
        /// Names the program in launches.
        handle: u64,
        /// The program.
        image: Vec<u8>,
    },
    /// A registered AICore program is not launched any more.
    UnloadAicore {
        /// As in [`HostFrame::LoadAicore`].
        handle: u64,
    },
    /// An AICore task.
    LaunchAicore {
        /// Stream.
        stream: u32,
        /// Sequence number of the task on its stream.
        task: u64,
        /// The program, loaded before.
        handle: u64,
        /// Selects the entry: the number in its symbol.
        tiling_key: u64,
        /// Clusters of one cube and two vector cores.
        blocks: u32,
        /// The argument bytes.
        args: Vec<u8>,
    },
}

/// What the device process sends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceFrame {
    /// The device is up.
    Ready,
    /// A task has ended.
    Done {
        /// Stream.
        stream: u32,
        /// Sequence number of the task on its stream.
        task: u64,
        /// [`crate::DONE_OK`] or the driver's error code.
        code: i32,
    },
    /// Why the next failing task fails.
    Note {
        /// One line for people.
        text: String,
    },
}

const HELLO: u8 = 1;
const SETTING: u8 = 2;
const OP_LIMIT: u8 = 3;
const LAUNCH_AICPU: u8 = 4;
const LAUNCH_BY_NAME: u8 = 5;
const LOAD_AICORE: u8 = 6;
const UNLOAD_AICORE: u8 = 7;
const LAUNCH_AICORE: u8 = 8;

const READY: u8 = 65;
const DONE: u8 = 66;
const NOTE: u8 = 67;

impl Frame for HostFrame {
    fn encode(&self, to: &mut Writer) {
        match self {
            Self::Hello {
                chip,
                memory_bytes,
                driver_id,
                settings,
            } => {
                to.u8(HELLO);
                to.u32(*chip as u32);
                to.u64(*memory_bytes);
                to.u32(*driver_id);
                to.count(settings.len());
                for (name, value) in settings {
                    to.text(name);
                    to.text(value);
                }
            }
            Self::Setting { name, value } => {
                to.u8(SETTING);
                to.text(name);
                to.text(value);
            }
            Self::OpLimit { limit_us } => {
                to.u8(OP_LIMIT);
                to.u64(*limit_us);
            }
            Self::LaunchAicpu {
                stream,
                task,
                so_name,
                kernel_name,
                blocks,
                args,
            } => {
                to.u8(LAUNCH_AICPU);
                to.u32(*stream);
                to.u64(*task);
                to.text(so_name);
                to.text(kernel_name);
                to.u32(*blocks);
                to.bytes(args);
            }
            Self::LaunchByName {
                stream,
                task,
                file,
                function,
                blocks,
                args,
            } => {
                to.u8(LAUNCH_BY_NAME);
                to.u32(*stream);
                to.u64(*task);
                to.text(file);
                to.text(function);
                to.u32(*blocks);
                to.bytes(args);
            }
            Self::LoadAicore { handle, image } => {
                to.u8(LOAD_AICORE);
                to.u64(*handle);
                to.bytes(image);
            }
            Self::UnloadAicore { handle } => {
                to.u8(UNLOAD_AICORE);
                to.u64(*handle);
            }
            Self::LaunchAicore {
                stream,
                task,
                handle,
                tiling_key,
                blocks,
                args,
            } => {
                to.u8(LAUNCH_AICORE);
                to.u32(*stream);
                to.u64(*task);
                to.u64(*handle);
                to.u64(*tiling_key);
                to.u32(*blocks);
                to.bytes(args);
            }
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match from.u8("tag")? {
            HELLO => Self::Hello {
                chip: chip(from.u32("chip")?)?,
                memory_bytes: from.u64("memory bytes")?,
                driver_id: from.u32("driver id")?,
                settings: settings(from)?,
            },
            SETTING => Self::Setting {
                name: from.text("setting name")?,
                value: from.text("setting value")?,
            },
            OP_LIMIT => Self::OpLimit {
                limit_us: from.u64("limit")?,
            },
            LAUNCH_AICPU => Self::LaunchAicpu {
                stream: from.u32("stream")?,
                task: from.u64("task")?,
                so_name: from.text("shared object name")?,
                kernel_name: from.text("kernel name")?,
                blocks: from.u32("blocks")?,
                args: from.bytes("arguments")?,
            },
            LAUNCH_BY_NAME => Self::LaunchByName {
                stream: from.u32("stream")?,
                task: from.u64("task")?,
                file: from.text("file")?,
                function: from.text("function")?,
                blocks: from.u32("blocks")?,
                args: from.bytes("arguments")?,
            },
            LOAD_AICORE => Self::LoadAicore {
                handle: from.u64("handle")?,
                image: from.bytes("image")?,
            },
            UNLOAD_AICORE => Self::UnloadAicore {
                handle: from.u64("handle")?,
            },
            LAUNCH_AICORE => Self::LaunchAicore {
                stream: from.u32("stream")?,
                task: from.u64("task")?,
                handle: from.u64("handle")?,
                tiling_key: from.u64("tiling key")?,
                blocks: from.u32("blocks")?,
                args: from.bytes("arguments")?,
            },
            tag => return Err(WireError::UnknownTag { tag }),
        })
    }
}

impl Frame for DeviceFrame {
    fn encode(&self, to: &mut Writer) {
        match self {
            Self::Ready => to.u8(READY),
            Self::Done { stream, task, code } => {
                to.u8(DONE);
                to.u32(*stream);
                to.u64(*task);
                to.i32(*code);
            }
            Self::Note { text } => {
                to.u8(NOTE);
                to.text(text);
            }
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match from.u8("tag")? {
            READY => Self::Ready,
            DONE => Self::Done {
                stream: from.u32("stream")?,
                task: from.u64("task")?,
                code: from.i32("code")?,
            },
            NOTE => Self::Note {
                text: from.text("note")?,
            },
            tag => return Err(WireError::UnknownTag { tag }),
        })
    }
}

fn chip(raw: u32) -> Result<Chip, WireError> {
    Chip::from_raw(raw).ok_or(WireError::BadValue {
        field: "chip",
        value: raw.into(),
    })
}

fn settings(from: &mut Reader<'_>) -> Result<Vec<(String, String)>, WireError> {
    let count = from.u32("setting count")?;
    let mut settings = Vec::new();
    for _ in 0..count {
        settings.push((from.text("setting name")?, from.text("setting value")?));
    }
    Ok(settings)
}
