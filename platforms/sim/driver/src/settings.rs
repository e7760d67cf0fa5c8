//! Settings by name, checked before anything sees them.

use crate::calls::Fault;
use crate::codes::{PARAM_INVALID, Refusal, Result, refuse};
use lanescope_sim_wire::{DEFAULT_MEMORY_BYTES, DeviceSettings, SettingError};

/// The environment variable with settings for the start.
pub(crate) const VARIABLE: &str = "LANESCOPE_SIM";

/// Most memory of a device; also the distance between the addresses of two devices.
pub(crate) const MAX_MEMORY_BYTES: u64 = 64 << 30;

/// What is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    memory_bytes: Option<u64>,
    /// Code with which devices are poisoned.
    poison: Option<i32>,
    device: DeviceSettings,
    /// The device's settings as they were given.
    given: Vec<(String, String)>,
}

/// Who must learn of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// Nobody but this library.
    Driver,
    /// The device processes.
    Device,
    /// Every device of this process becomes unusable with a code, or usable again.
    Poison(Option<i32>),
    /// Everybody: all settings were taken back.
    All,
}

impl Settings {
    /// Takes `name=value,…`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut settings = Self::default();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            let (name, value) = item.split_once('=').ok_or_else(|| {
                refuse(
                    PARAM_INVALID,
                    format_args!("{VARIABLE}: {item:?} is not of the form name=value"),
                )
            })?;
            settings.set(name.trim(), value.trim())?;
        }
        Ok(settings)
    }

    /// Takes one setting; an empty value, or `off`, takes it back. Returns who must know.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<Concerns> {
        let is_off = matches!(value, "" | "off");
        match name {
            "fail" if is_off => Fault::disarm_all(),
            "fail" => Fault::parse(value)?.arm(),
            "memory-bytes" if is_off => self.memory_bytes = None,
            "memory-bytes" => self.memory_bytes = Some(memory_bytes(value)?),
            "poison" => {
                self.poison = (!is_off).then(|| poison_code(value)).transpose()?;
                return Ok(Concerns::Poison(self.poison));
            }
            "all" if is_off => {
                Fault::disarm_all();
                *self = Self::default();
                return Ok(Concerns::All);
            }
            "all" => return Err(bad(name, value, "off")),
            _ => return self.set_for_the_device(name, value),
        }
        Ok(Concerns::Driver)
    }

    fn set_for_the_device(&mut self, name: &str, value: &str) -> Result<Concerns> {
        match self.device.set(name, value) {
            Ok(()) => {}
            Err(SettingError::Unknown { name, known }) => {
                return Err(refuse(
                    PARAM_INVALID,
                    format_args!(
                        "no setting is called {name:?}; known: {}, {known}",
                        DRIVER_NAMES.join(", ")
                    ),
                ));
            }
            Err(error) => return Err(refuse(PARAM_INVALID, error)),
        }
        self.given.retain(|(set, _)| set != name);
        if !matches!(value, "" | "off") {
            self.given.push((name.to_owned(), value.to_owned()));
        }
        Ok(Concerns::Device)
    }

    /// Memory of a device that starts now.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.unwrap_or(DEFAULT_MEMORY_BYTES)
    }

    /// Code with which every device is unusable from the start.
    pub(crate) fn poison(&self) -> Option<i32> {
        self.poison
    }

    /// The seed; 0 unless set.
    pub(crate) fn seed(&self) -> u64 {
        self.device.seed
    }

    /// Whether a device that starts now runs its agents as threads.
    pub(crate) fn threads(&self) -> bool {
        self.device.threads
    }

    /// What a device process that starts now is told.
    pub(crate) fn for_the_device(&self) -> Vec<(String, String)> {
        self.given.clone()
    }
}

/// Names of settings that the device is not told.
const DRIVER_NAMES: [&str; 4] = ["all", "memory-bytes", "fail", "poison"];

fn bad(name: &str, value: &str, expected: &str) -> Refusal {
    refuse(
        PARAM_INVALID,
        format_args!("{name}={value}: {expected} expected"),
    )
}

fn memory_bytes(value: &str) -> Result<u64> {
    let expected = "a number of bytes from 1 MiB to 64 GiB";
    match value.parse() {
        Ok(bytes) if (1 << 20..=MAX_MEMORY_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err(bad("memory-bytes", value, expected)),
    }
}

fn poison_code(value: &str) -> Result<i32> {
    match value.parse() {
        Ok(0) | Err(_) => Err(bad("poison", value, "a code other than 0")),
        Ok(code) => Ok(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_an_empty_one_takes_it_back() {
        let mut settings = Settings::parse(" seed=3, late-host=50,memory-bytes=2097152,").unwrap();
        assert_eq!((settings.seed(), settings.memory_bytes()), (3, 2 << 20));
        let told = settings.for_the_device();
        assert_eq!(
            told,
            [
                ("seed".into(), "3".into()),
                ("late-host".into(), "50".into())
            ]
        );

        assert_eq!(settings.set("seed", "9"), Ok(Concerns::Device));
        assert_eq!(settings.set("memory-bytes", ""), Ok(Concerns::Driver));
        assert_eq!(settings.set("late-host", "off"), Ok(Concerns::Device));
        assert_eq!(
            (settings.seed(), settings.memory_bytes()),
            (9, DEFAULT_MEMORY_BYTES)
        );
        assert_eq!(settings.for_the_device(), [("seed".into(), "9".into())]);
        let poison = Concerns::Poison(Some(507_018));
        assert_eq!(settings.set("poison", "507018"), Ok(poison));
        assert_eq!(settings.set("all", "off"), Ok(Concerns::All));
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused_and_changes_nothing() {
        let mut settings = Settings::parse("seed=3").unwrap();
        for (name, value) in [
            ("speed", "3"),
            ("all", "3"),
            ("poison", "0"),
            ("torn-slot", "108"),
            ("seed", "-1"),
            ("seed", "x"),
            ("dead-core", "108"),
            ("memory-bytes", "4096"),
            ("memory-bytes", "99999999999999"),
            ("fail", "rtMalloc"),
        ] {
            let refused = settings.set(name, value).unwrap_err();
            assert_eq!(refused.code, PARAM_INVALID, "{name}={value}");
        }
        assert_eq!(settings, Settings::parse("seed=3").unwrap());
        assert!(Settings::parse("seed").is_err());
        let unknown = settings.set("speed", "3").unwrap_err().text;
        let known = "known: all, memory-bytes, fail, poison, seed, late-host, ";
        assert!(unknown.contains(known), "{unknown}");
    }
}
