//! Programs: how AICPU and AICore code that arrived as bytes becomes entries to call.
//!
//! # What can be lost
//!
//! The first program of the classic form stays for the life of the process; a different one that
//! is delivered later is passed over, as the vendor's loader does.

use crate::error::DeviceProcessError;
use crate::loader::Loader;
use lanescope_abi::DeviceTable;
use lanescope_abi::launch::{AicpuArgs, BIND_SYMBOL, DeviceArgs};
use libloading::Library;
use std::collections::HashMap;
use std::mem::offset_of;

/// Kernel name of the launch that delivers a program.
pub const DELIVERY_KERNEL: &str = "DynTileFwkKernelServerInit";
/// Kernel name of the launch that runs the delivered program.
pub const SERVER_KERNEL: &str = "DynTileFwkKernelServer";

const DELIVERY_ENTRY: &str = "DynTileFwkBackendKernelServerInit";
const SERVER_ENTRY: &str = "DynTileFwkBackendKernelServer";
/// The vendor's loader looks this up as well, and refuses a program without it.
const STATIC_ENTRY: &str = "StaticTileFwkBackendKernelServer";

/// An entry of an AICPU program.
pub type AicpuEntry = unsafe extern "C" fn(args: *const AicpuArgs) -> i32;

/// An entry of an AICore program.
pub type AicoreEntry = unsafe extern "C" fn(control_address: u64);

type BindEntry = unsafe extern "C" fn(table: *const DeviceTable) -> i32;

/// What has been loaded.
#[derive(Debug, Default)]
pub struct Programs {
    /// The program of the classic form.
    delivered: Option<&'static Library>,
    /// Programs launched by name, by file.
    named: HashMap<String, &'static Library>,
    /// Images of registered AICore programs, by handle.
    aicore: HashMap<u64, Vec<u8>>,
}

impl Programs {
    /// Delivers the program that the arguments name, unless one has been; returns its first entry.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when the arguments name none, or it cannot be loaded.
    pub fn deliver(
        &mut self,
        loader: &Loader,
        args: &LaunchArgs,
    ) -> Result<AicpuEntry, DeviceProcessError> {
        let library = match self.delivered {
            Some(library) => library,
            None => {
                let bytes = named_bytes(loader, args)?;
                let library = load(loader, "the delivered AICPU program", &bytes)?;
                entry::<AicpuEntry>(library, STATIC_ENTRY)?;
                *self.delivered.insert(library)
            }
        };
        entry(library, DELIVERY_ENTRY)
    }

    /// The main entry of the delivered program.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Launch`] when none has been delivered.
    pub fn server(&self) -> Result<AicpuEntry, DeviceProcessError> {
        let library = self.delivered.ok_or_else(|| DeviceProcessError::Launch {
            what: format!("{SERVER_KERNEL} launched before a program was delivered"),
        })?;
        entry(library, SERVER_ENTRY)
    }

    /// An entry of a program that a dispatcher has stored.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when no such file was stored, or it cannot be loaded.
    pub fn named(
        &mut self,
        loader: &Loader,
        file: &str,
        function: &str,
    ) -> Result<AicpuEntry, DeviceProcessError> {
        if let Some(library) = self.named.get(file) {
            return entry(library, function);
        }
        let stored = loader.file(file);
        let bytes = stored.ok_or_else(|| DeviceProcessError::Launch {
            what: format!("launch of {function}: no program has been stored as {file}"),
        })?;
        let library = load(loader, file, &bytes)?;
        self.named.insert(file.to_owned(), library);
        entry(library, function)
    }

    /// Keeps the image of a registered AICore program.
    pub fn register(&mut self, handle: u64, image: Vec<u8>) {
        self.aicore.insert(handle, image);
    }

    /// Forgets it.
    pub fn unregister(&mut self, handle: u64) {
        self.aicore.remove(&handle);
    }

    /// The entries of a registered AICore program, for cube and for vector cores.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when the handle is unknown, or its image cannot be loaded.
    pub fn aicore(
        &self,
        loader: &Loader,
        handle: u64,
        tiling_key: u64,
    ) -> Result<[AicoreEntry; 2], DeviceProcessError> {
        let image = self
            .aicore
            .get(&handle)
            .ok_or_else(|| DeviceProcessError::Launch {
                what: format!("launch of AICore program {handle}, which is not registered"),
            })?;
        let library = load(loader, "the AICore program", image)?;
        Ok([
            entry(library, &format!("aicore_kernel_{tiling_key}_mix_aic"))?,
            entry(library, &format!("aicore_kernel_{tiling_key}_mix_aiv"))?,
        ])
    }
}

/// The argument blob of a launch, aligned, and at least as long as what programs read of it.
#[derive(Clone, Debug)]
pub struct LaunchArgs {
    words: Vec<u64>,
}

impl LaunchArgs {
    /// Takes the bytes; the rest is 0.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut words: Vec<u64> = bytes
            .chunks(8)
            .map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            })
            .collect();
        let fewest = size_of::<AicpuArgs>() / 8;
        if words.len() < fewest {
            words.resize(fewest, 0);
        }
        Self { words }
    }

    /// For an AICPU entry.
    #[must_use]
    pub fn as_aicpu_args(&self) -> *const AicpuArgs {
        self.words.as_ptr().cast()
    }

    /// The first word: for an AICore entry, the address of the control region.
    #[must_use]
    pub fn first_word(&self) -> u64 {
        self.words[0]
    }

    /// For a main AICPU entry, the address of the control region.
    #[must_use]
    pub fn control_address(&self) -> u64 {
        self.words[offset_of!(AicpuArgs, control_address) / 8]
    }

    fn device_args(&self) -> u64 {
        self.words[offset_of!(AicpuArgs, device_args) / 8]
    }
}

/// The bytes that a delivery names.
fn named_bytes(loader: &Loader, args: &LaunchArgs) -> Result<Vec<u8>, DeviceProcessError> {
    let outside = |what, address, bytes| DeviceProcessError::OutsideMemory {
        what,
        address,
        bytes,
    };
    let address = args.device_args();
    let length = size_of::<DeviceArgs>() as u64;
    let device_args = loader
        .memory
        .copy(address, length)
        .and_then(|bytes| zerocopy::FromBytes::read_from_bytes(&bytes).ok());
    let Some(DeviceArgs {
        program_address,
        program_bytes,
        ..
    }) = device_args
    else {
        return Err(outside("delivery arguments", address, length));
    };
    loader
        .memory
        .copy(program_address, program_bytes)
        .ok_or_else(|| outside("the program to deliver", program_address, program_bytes))
}

/// Loads a program and hands it the device table.
fn load(loader: &Loader, what: &str, bytes: &[u8]) -> Result<&'static Library, DeviceProcessError> {
    let library = loader.image(what, bytes)?;
    let bind: BindEntry = entry(library, BIND_SYMBOL)?;
    // SAFETY: the entry has this signature; see `lanescope_abi::launch`. The table is a static.
    match unsafe { bind(std::ptr::from_ref(loader.table())) } {
        0 => Ok(library),
        code => Err(DeviceProcessError::BindRefused {
            what: what.to_owned(),
            code,
        }),
    }
}

fn entry<T: Copy>(library: &'static Library, symbol: &str) -> Result<T, DeviceProcessError> {
    // SAFETY: every caller names a symbol whose signature is fixed by `lanescope_abi` or by the
    // vendor, and asks for that type.
    let found = unsafe { library.get::<T>(symbol) };
    found
        .map(|symbol| *symbol)
        .map_err(|source| DeviceProcessError::Load {
            what: symbol.to_owned(),
            source,
        })
}
