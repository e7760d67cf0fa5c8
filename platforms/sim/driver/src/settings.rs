//! Settings by name, checked before anything sees them.

use crate::calls::Fault;
use crate::codes::{PARAM_INVALID, Result, refuse, require};
use lanescope_sim_wire::DEFAULT_MEMORY_BYTES;

/// The environment variable with settings for the start.
pub(crate) const VARIABLE: &str = "LANESCOPE_SIM";

/// Most memory of a device; also the distance between the addresses of two devices.
pub(crate) const MAX_MEMORY_BYTES: u64 = 64 << 30;

/// Settings the device process is told.
const FOR_THE_DEVICE: [&str; 5] = ["seed", "late-host", "dead-core", "hung-kernel", "kill-at"];

/// What is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    values: Vec<(String, u64)>,
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

    /// Takes one setting; an empty value, or `off`, takes it back. Returns whether the device must
    /// know.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        if name == "fail" {
            match value {
                "" | "off" => Fault::disarm_all(),
                fault => Fault::parse(fault)?.arm(),
            }
            return Ok(false);
        }
        let known = name == "memory-bytes" || FOR_THE_DEVICE.contains(&name);
        require(
            known,
            PARAM_INVALID,
            format_args!("no setting is called {name:?}"),
        )?;
        let number = checked(name, value)?;
        self.values.retain(|(set, _)| set != name);
        if let Some(number) = number {
            self.values.push((name.to_owned(), number));
        }
        Ok(FOR_THE_DEVICE.contains(&name))
    }

    /// Memory of a device that starts now.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.value("memory-bytes").unwrap_or(DEFAULT_MEMORY_BYTES)
    }

    /// The seed; 0 unless set.
    pub(crate) fn seed(&self) -> u64 {
        self.value("seed").unwrap_or(0)
    }

    /// What a device process that starts now is told.
    pub(crate) fn for_the_device(&self) -> Vec<(String, String)> {
        self.values
            .iter()
            .filter(|(name, _)| FOR_THE_DEVICE.contains(&name.as_str()))
            .map(|(name, number)| (name.clone(), number.to_string()))
            .collect()
    }

    fn value(&self, name: &str) -> Option<u64> {
        let set = self.values.iter().find(|(set, _)| set == name);
        set.map(|(_, number)| *number)
    }
}

fn checked(name: &str, value: &str) -> Result<Option<u64>> {
    if matches!(value, "" | "off") {
        return Ok(None);
    }
    let bad = |expected: &str| {
        refuse(
            PARAM_INVALID,
            format_args!("{name}={value}: {expected} expected"),
        )
    };
    let number: u64 = value.parse().map_err(|_| bad("an unsigned number"))?;
    let (limit, expected) = match name {
        "memory-bytes" => (MAX_MEMORY_BYTES, "at most 64 GiB"),
        "dead-core" | "hung-kernel" => (107, "the index of a core"),
        _ => (u64::MAX, ""),
    };
    if number > limit {
        return Err(bad(expected));
    }
    if name == "memory-bytes" && number < 1 << 20 {
        return Err(bad("at least 1 MiB"));
    }
    Ok(Some(number))
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

        assert!(settings.set("seed", "9").unwrap());
        assert!(!settings.set("memory-bytes", "").unwrap());
        assert!(settings.set("late-host", "off").unwrap());
        assert_eq!(
            (settings.seed(), settings.memory_bytes()),
            (9, DEFAULT_MEMORY_BYTES)
        );
        assert_eq!(settings.for_the_device(), [("seed".into(), "9".into())]);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused_and_changes_nothing() {
        let mut settings = Settings::parse("seed=3").unwrap();
        for (name, value) in [
            ("speed", "3"),
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
    }
}
