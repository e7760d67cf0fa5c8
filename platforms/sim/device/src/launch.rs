//! Launches: what the host asked for, in the order of its streams, until it can be started.
//!
//! # Where it sits
//!
//! Takes the frames of the host, whatever the mode; [`crate::device`] and [`crate::threads`] take
//! the launches that are next, and turn what is to be started into agents.

use crate::agent::Identity;
use crate::error::{AICORE_EXCEPTION, AICPU_EXCEPTION, DeviceProcessError};
use crate::loader::Loader;
use crate::program::{
    AicoreEntry, AicpuEntry, DELIVERY_KERNEL, LaunchArgs, Programs, SERVER_KERNEL,
};
use lanescope_abi::chip::{AIV_PER_CLUSTER, CORES_PER_CLUSTER};
use lanescope_abi::{Chip, ChipInfo, CoreType};
use lanescope_sim_wire::{
    AicpuEntry as FaultyEntry, AicpuError, DeviceSettings, HostFrame, cluster_cube_core,
    physical_core,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// How long a task may run, in device time, unless the host says otherwise.
const DEFAULT_TASK_LIMIT_US: u64 = 45_000_000;

/// Most AICPU threads of one launch; more would wait for each other on the chip.
const MAX_THREADS: u32 = 16;

/// A launched task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskId {
    /// Its stream.
    pub stream: u32,
    /// Its number on the stream.
    pub task: u64,
    /// Whether its agents are AICPU threads; else they are cores.
    pub is_aicpu: bool,
}

impl TaskId {
    /// The code it ends with when it cannot even start.
    #[must_use]
    pub const fn exception(self) -> i32 {
        if self.is_aicpu {
            AICPU_EXCEPTION
        } else {
            AICORE_EXCEPTION
        }
    }
}

/// A launch that has not started.
#[derive(Debug)]
pub struct Launch {
    /// Which task it is.
    pub id: TaskId,
    blocks: u32,
    args: Vec<u8>,
    kind: LaunchKind,
}

impl Launch {
    /// The address of the control region, for one that is part of a run.
    #[must_use]
    pub fn control_address(&self) -> Option<u64> {
        let args = || LaunchArgs::new(&self.args);
        match &self.kind {
            LaunchKind::Classic { kernel_name } if kernel_name == DELIVERY_KERNEL => None,
            LaunchKind::Aicore { .. } => Some(args().first_word()),
            LaunchKind::Classic { .. } | LaunchKind::ByName { .. } => {
                Some(args().control_address())
            }
        }
    }
}

#[derive(Debug)]
enum LaunchKind {
    Classic { kernel_name: String },
    ByName { file: String, function: String },
    Aicore { handle: u64, tiling_key: u64 },
}

/// An agent to be.
#[derive(Debug)]
pub struct Start {
    /// Who it is.
    pub identity: Identity,
    /// What it does; `None` for one that never does anything.
    pub entry: Option<Entry>,
    /// Its first kernel never ends.
    pub hangs: bool,
}

/// The entry of a program, with its arguments.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Of an AICPU program.
    Aicpu {
        /// Where.
        entry: AicpuEntry,
        /// With what.
        args: Arc<LaunchArgs>,
        /// The fault `aicpu-error`: what it returns, and when.
        error: Option<(FaultyEntry, i32)>,
    },
    /// Of an AICore program.
    Aicore {
        /// Where.
        entry: AicoreEntry,
        /// With what.
        control_address: u64,
    },
}

impl Entry {
    /// Runs it; 0 when it has done all it should.
    #[must_use]
    pub fn run(self) -> i32 {
        match self {
            Self::Aicpu {
                error: Some((FaultyEntry::Init | FaultyEntry::Main, code)),
                ..
            } => code,
            Self::Aicpu { entry, args, error } => {
                // SAFETY:
                // - The entry has this signature; its program stays loaded.
                // - The arguments are as long as `AicpuArgs`, and live until the call ends.
                let returned = unsafe { entry(args.as_aicpu_args()) };
                error.map_or(returned, |(_, code)| code)
            }
            Self::Aicore {
                entry,
                control_address,
            } => {
                // SAFETY: the entry has this signature; its program stays loaded.
                unsafe { entry(control_address) };
                0
            }
        }
    }
}

/// What the host has asked for.
#[derive(Debug)]
pub struct Launches {
    /// As the host has set them so far.
    pub settings: DeviceSettings,
    /// How long a task may run, in microseconds of device time; `None` is for ever.
    pub task_limit_us: Option<u64>,
    programs: Programs,
    /// Launches that wait for their stream.
    pending: VecDeque<Launch>,
}

impl Launches {
    /// Nothing asked for yet.
    #[must_use]
    pub fn new(settings: DeviceSettings) -> Self {
        Self {
            settings,
            task_limit_us: Some(DEFAULT_TASK_LIMIT_US),
            programs: Programs::default(),
            pending: VecDeque::new(),
        }
    }

    /// Takes a frame of the host.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Setting`] when it sets what means nothing.
    pub fn take_frame(&mut self, frame: HostFrame) -> Result<(), DeviceProcessError> {
        let (stream, task, blocks, args, kind) = match frame {
            HostFrame::Setting { name, value } => {
                self.settings.set(&name, &value)?;
                return Ok(());
            }
            HostFrame::OpLimit { limit_us } => {
                self.task_limit_us = (limit_us != 0).then_some(limit_us);
                return Ok(());
            }
            HostFrame::LoadAicore { handle, image } => {
                self.programs.register(handle, image);
                return Ok(());
            }
            HostFrame::UnloadAicore { handle } => {
                self.programs.unregister(handle);
                return Ok(());
            }
            HostFrame::LaunchAicpu {
                stream,
                task,
                kernel_name,
                blocks,
                args,
                ..
            } => {
                let kind = LaunchKind::Classic { kernel_name };
                (stream, task, blocks, args, kind)
            }
            HostFrame::LaunchByName {
                stream,
                task,
                file,
                function,
                blocks,
                args,
            } => {
                let kind = LaunchKind::ByName { file, function };
                (stream, task, blocks, args, kind)
            }
            HostFrame::LaunchAicore {
                stream,
                task,
                handle,
                tiling_key,
                blocks,
                args,
            } => {
                let kind = LaunchKind::Aicore { handle, tiling_key };
                (stream, task, blocks, args, kind)
            }
            // A second greeting changes nothing; frames of a later driver are not for this process.
            _ => return Ok(()),
        };
        let is_aicpu = !matches!(kind, LaunchKind::Aicore { .. });
        self.pending.push_back(Launch {
            id: TaskId {
                stream,
                task,
                is_aicpu,
            },
            blocks,
            args,
            kind,
        });
        Ok(())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes the first launch whose stream, and whose cores, are free of what runs.
    pub fn take_next(&mut self, running: &[TaskId]) -> Option<Launch> {
        let free = |index: &usize| {
            let id = self.pending[*index].id;
            let mut before = self.pending.iter().take(*index);
            !before.any(|earlier| earlier.id.stream == id.stream)
                && !running
                    .iter()
                    .any(|task| task.stream == id.stream || !id.is_aicpu && !task.is_aicpu)
        };
        let index = (0..self.pending.len()).find(free)?;
        self.pending.remove(index)
    }

    /// Loads what a launch runs. Returns its agents.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when it asks for what cannot be done.
    pub fn agents(
        &mut self,
        chip: &ChipInfo,
        loader: &Loader,
        launch: &Launch,
    ) -> Result<Vec<Start>, DeviceProcessError> {
        let args = LaunchArgs::new(&launch.args);
        match &launch.kind {
            LaunchKind::Classic { kernel_name } => match kernel_name.as_str() {
                DELIVERY_KERNEL => {
                    let entry = self.programs.deliver(loader, &args)?;
                    self.threads(entry, 1, args, true)
                }
                SERVER_KERNEL => self.threads(self.programs.server()?, launch.blocks, args, false),
                other => Err(DeviceProcessError::Launch {
                    what: format!(
                        "AICPU kernel {other:?}, expected {DELIVERY_KERNEL:?} or \
                             {SERVER_KERNEL:?}"
                    ),
                }),
            },
            LaunchKind::ByName { file, function } => {
                let entry = self.programs.named(loader, file, function)?;
                self.threads(entry, launch.blocks, args, false)
            }
            LaunchKind::Aicore { handle, tiling_key } => {
                let (handle, tiling_key) = (*handle, *tiling_key);
                self.cores(chip, loader, handle, tiling_key, launch.blocks, &args)
            }
        }
    }

    /// The agents of an AICPU task.
    fn threads(
        &self,
        entry: AicpuEntry,
        blocks: u32,
        args: LaunchArgs,
        is_delivery: bool,
    ) -> Result<Vec<Start>, DeviceProcessError> {
        if blocks == 0 || blocks > MAX_THREADS {
            return Err(DeviceProcessError::Launch {
                what: format!("launch of {blocks} AICPU threads, expected 1 to {MAX_THREADS}"),
            });
        }
        let args = Arc::new(args);
        let starts = (0..blocks).map(|index| Start {
            identity: Identity::Thread { index },
            entry: Some(Entry::Aicpu {
                entry,
                args: Arc::clone(&args),
                error: self.aicpu_error(is_delivery, index),
            }),
            hangs: false,
        });
        Ok(starts.collect())
    }

    /// The error that the fault `aicpu-error` makes a thread return, and when.
    fn aicpu_error(&self, is_delivery: bool, index: u32) -> Option<(FaultyEntry, i32)> {
        let AicpuError { when, code, thread } = self.settings.aicpu_error?;
        let is_this = thread.is_none_or(|thread| thread == index);
        (is_this && is_delivery == (when == FaultyEntry::Init)).then_some((when, code))
    }

    /// The agents of an AICore task: the cube cores of all clusters, then their vector cores.
    fn cores(
        &self,
        chip: &ChipInfo,
        loader: &Loader,
        handle: u64,
        tiling_key: u64,
        clusters: u32,
        args: &LaunchArgs,
    ) -> Result<Vec<Start>, DeviceProcessError> {
        let most = chip.max_clusters;
        if clusters == 0 || clusters > most {
            return Err(DeviceProcessError::Launch {
                what: format!("launch of {clusters} clusters, expected 1 to {most}"),
            });
        }
        let entries = self.programs.aicore(loader, handle, tiling_key)?;
        loader.begin_launch();
        let control_address = args.first_word();
        let starts = core_places(chip.chip, clusters).map(|identity| {
            let Identity::Core {
                index, core_type, ..
            } = identity
            else {
                unreachable!("core places are cores");
            };
            let entry = Entry::Aicore {
                entry: entries[core_type as usize],
                control_address,
            };
            let is_dead = self.settings.dead_core == Some(index);
            Start {
                identity,
                entry: (!is_dead).then_some(entry),
                hangs: self.settings.hung_kernel == Some(index),
            }
        });
        Ok(starts.collect())
    }
}

/// Who the cores of a launch are, in the order of their index.
pub fn core_places(chip: Chip, clusters: u32) -> impl Iterator<Item = Identity> {
    (0..clusters * CORES_PER_CLUSTER).filter_map(move |index| {
        let (cluster, core_type, sub) = if index < clusters {
            (index, CoreType::Aic, 0)
        } else {
            let vector = index - clusters;
            (
                vector / AIV_PER_CLUSTER,
                CoreType::Aiv,
                vector % AIV_PER_CLUSTER,
            )
        };
        let cube = cluster_cube_core(chip, cluster)?;
        Some(Identity::Core {
            index,
            core_type,
            physical: physical_core(chip, cube, core_type, sub),
        })
    })
}
