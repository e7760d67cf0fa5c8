//! The one driver of this process: its chip, its devices, its settings.

use crate::codes::{
    CONTEXT_NULL, DEVICE_SETUP, INVALID_DEVICE, INVALID_HANDLE, PARAM_INVALID, REPEAT_FINALIZE,
    REPEAT_INITIALIZE, Result, UNINITIALIZE, hal, refuse, require,
};
use crate::current::{Current, bind, current};
use crate::device::Device;
use crate::handle::Handle;
use crate::leaks::{Leaks, say};
use crate::settings::{self, Concerns, Settings};
use crate::visible;
use lanescope_abi::Chip;
use lanescope_sim_wire::{DeviceSettings, HostFrame};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The file that names the chip.
const CHIP_FILE: &str = "chip";

/// The driver of this process.
#[derive(Debug)]
pub(crate) struct Driver {
    chip: Chip,
    dir: PathBuf,
    devices: Vec<Arc<Device>>,
    settings: Mutex<Settings>,
    leaks: Mutex<Leaks>,
    life: Mutex<Life>,
}

/// Where `aclInit` and `aclFinalize` have brought the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Fresh,
    Initialised,
    Finalised,
}

/// The driver, made at the first call; what it could not find then stays missing.
pub(crate) fn driver() -> Result<&'static Driver> {
    static DRIVER: OnceLock<Result<Driver>> = OnceLock::new();
    let driver = DRIVER.get_or_init(|| {
        let made = Driver::from_environment();
        if let Err(refusal) = &made {
            say(refusal);
        }
        made
    });
    driver.as_ref().map_err(Clone::clone)
}

impl Driver {
    fn from_environment() -> Result<Self> {
        let dir = own_dir()
            .ok_or_else(|| refuse(DEVICE_SETUP, "the driver does not find its own directory"))?;
        let settings = match std::env::var_os(settings::VARIABLE) {
            None => Settings::default(),
            Some(text) => Settings::parse(&text.to_string_lossy())?,
        };
        Ok(Self {
            chip: read_chip(&dir)?,
            devices: Vec::new(),
            dir,
            settings: Mutex::new(settings),
            leaks: Mutex::default(),
            life: Mutex::new(Life::Fresh),
        }
        .with_devices(std::env::var_os(visible::VARIABLE).as_deref()))
    }

    fn with_devices(mut self, list: Option<&OsStr>) -> Self {
        let ids = visible::driver_ids(list).into_iter().enumerate();
        self.devices = ids
            .map(|(logical, id)| Arc::new(Device::new(logical, id, self.chip)))
            .collect();
        let poison = self.settings().poison();
        self.poison_devices(poison);
        self
    }

    /// The chip of every device.
    pub(crate) fn chip(&self) -> Chip {
        self.chip
    }

    /// The device with a logical id.
    pub(crate) fn device(&self, logical: i32) -> Result<&Arc<Device>> {
        let found = usize::try_from(logical)
            .ok()
            .and_then(|index| self.devices.get(index));
        found.ok_or_else(|| {
            refuse(
                INVALID_DEVICE,
                format_args!("no device {logical}, there are {}", self.devices.len()),
            )
        })
    }

    /// The device behind a handle or address that named it.
    pub(crate) fn device_at(&self, index: usize) -> Option<&Arc<Device>> {
        self.devices.get(index)
    }

    /// The device a handle belongs to.
    pub(crate) fn device_of(&self, handle: Handle) -> Result<&Arc<Device>> {
        let gone = || refuse(INVALID_HANDLE, "the handle is of no device");
        self.device_at(handle.device).ok_or_else(gone)
    }

    /// The device with a driver-visible id; codes are those of `hal*` calls.
    pub(crate) fn device_by_driver_id(&self, id: u32) -> Result<&Arc<Device>> {
        require(
            id < visible::MACHINE_DEVICES,
            hal::INVALID_DEVICE,
            format_args!("the machine has no device with the driver's id {id}"),
        )?;
        let found = self.devices.iter().find(|device| device.driver_id() == id);
        found.ok_or_else(|| {
            refuse(
                hal::PROCESS_EXIT,
                format_args!("the device with the driver's id {id} is not visible to this process"),
            )
        })
    }

    /// Binds the calling thread to a device and adds one to its count.
    pub(crate) fn set_device(&self, logical: i32) -> Result<()> {
        let device = self.device(logical)?;
        let settings = self.settings().clone();
        bind(device.set(&self.dir, &settings)?);
        Ok(())
    }

    /// Takes one from the count of a device, or all.
    pub(crate) fn reset_device(&self, logical: i32, force: bool) -> Result<()> {
        self.device(logical)?.reset(force, self)
    }

    /// The calling thread's device.
    pub(crate) fn current(&self) -> Result<(&Arc<Device>, Current)> {
        let none = || refuse(CONTEXT_NULL, "no device is set on this thread");
        let current = current().ok_or_else(none)?;
        let device = self.devices.get(current.device).ok_or_else(none)?;
        // Also when the device has been reset since.
        device.lock().opening(current.generation)?;
        Ok((device, current))
    }

    /// What is set.
    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a setting and tells whom it concerns.
    pub(crate) fn change_setting(&self, name: &str, value: &str) -> Result<()> {
        let concerns = self.settings().set(name, value)?;
        if matches!(concerns, Concerns::Device | Concerns::All) {
            let names = match concerns {
                Concerns::All => &DeviceSettings::NAMES[..],
                _ => &[name],
            };
            for device in &self.devices {
                for name in names {
                    device.tell(&HostFrame::Setting {
                        name: (*name).to_owned(),
                        value: value.to_owned(),
                    });
                }
            }
        }
        match concerns {
            Concerns::Poison(code) => self.poison_devices(code),
            Concerns::All => self.poison_devices(None),
            Concerns::Driver | Concerns::Device => {}
        }
        Ok(())
    }

    /// What the setting `poison` says; what a task of this process has poisoned stays so.
    fn poison_devices(&self, code: Option<i32>) {
        for device in &self.devices {
            device.lock().inject_poison(code);
        }
    }

    /// What resets found alive.
    pub(crate) fn leaks(&self) -> MutexGuard<'_, Leaks> {
        self.leaks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `aclInit`.
    pub(crate) fn initialise(&self) -> Result<()> {
        let mut life = self.life();
        require(
            *life == Life::Fresh,
            REPEAT_INITIALIZE,
            "aclInit was called before",
        )?;
        *life = Life::Initialised;
        Ok(())
    }

    /// `aclFinalize`.
    pub(crate) fn finalise(&self) -> Result<()> {
        let mut life = self.life();
        require(
            *life != Life::Fresh,
            UNINITIALIZE,
            "aclInit was not called before",
        )?;
        *life = Life::Finalised;
        Ok(())
    }

    /// Refuses every call after `aclFinalize`.
    pub(crate) fn check_not_finalised(&self) -> Result<()> {
        require(
            *self.life() != Life::Finalised,
            REPEAT_FINALIZE,
            "nothing may be called after aclFinalize",
        )
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_chip(dir: &Path) -> Result<Chip> {
    let path = dir.join(CHIP_FILE);
    let text = fs::read_to_string(&path)
        .map_err(|error| refuse(DEVICE_SETUP, format_args!("{}: {error}", path.display())))?;
    let chip = Chip::ALL
        .into_iter()
        .find(|chip| chip.name() == text.trim());
    chip.ok_or_else(|| {
        refuse(
            PARAM_INVALID,
            format_args!("{}: {:?}, a2a3 or a5 expected", path.display(), text.trim()),
        )
    })
}

/// The directory of the file that this code was loaded from.
fn own_dir() -> Option<PathBuf> {
    let own = own_dir as fn() -> Option<PathBuf>;
    let address = own as usize as u64;
    let maps = fs::read("/proc/self/maps").ok()?;
    let path = maps
        .split(|byte| *byte == b'\n')
        .find_map(|line| path_of_mapping(line, address))?;
    Path::new(OsStr::from_bytes(path))
        .parent()
        .map(Path::to_owned)
}

/// The path in a line of `/proc/self/maps`, when that mapping covers `address`.
fn path_of_mapping(line: &[u8], address: u64) -> Option<&[u8]> {
    let range = line.split(|byte| *byte == b' ').next()?;
    let (start, end) = std::str::from_utf8(range).ok()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    if !(start..end).contains(&address) {
        return None;
    }
    let slash = line.iter().position(|byte| *byte == b'/')?;
    Some(&line[slash..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_finds_the_file_it_is_in() {
        let executable = std::env::current_exe().unwrap();
        assert_eq!(own_dir().as_deref(), executable.parent());
        let line = b"7f00-7f10 r-xp 00000000 08:01 77   /a b/lib c.so";
        assert_eq!(path_of_mapping(line, 0x7f08), Some(&b"/a b/lib c.so"[..]));
        assert_eq!(path_of_mapping(line, 0x7f10), None);
        assert_eq!(path_of_mapping(b"7f00-7f10 rw-p 0 0:0 0", 0x7f08), None);
    }
}
