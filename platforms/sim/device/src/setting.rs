//! Settings of the device: the seed and the faults that were asked for.

use crate::clock::grains_of_us;
use crate::error::DeviceProcessError;

/// What the next launch runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `seed`: 0 is the cost model exactly; any other perturbs it.
    pub seed: u64,
    /// `late-host`, in grains: a returned buffer becomes visible this long after its ready entry.
    pub late_host: Option<u64>,
    /// `dead-core`: the core with this index never answers.
    pub dead_core: Option<u32>,
    /// `hung-kernel`: the first kernel of the core with this index never ends.
    pub hung_kernel: Option<u32>,
    /// `kill-at`, in grains: the process ends this long after the start of an AICore task.
    pub kill_at: Option<u64>,
}

impl Settings {
    /// Takes one setting. `off` or nothing undoes it; names that are the driver's are passed over.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Setting`] when the value is no number.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), DeviceProcessError> {
        match name {
            "seed" => self.seed = number(name, value)?.unwrap_or(0),
            "late-host" => self.late_host = number(name, value)?.map(grains_of_us),
            "kill-at" => self.kill_at = number(name, value)?.map(grains_of_us),
            "dead-core" => self.dead_core = number(name, value)?.map(core_index),
            "hung-kernel" => self.hung_kernel = number(name, value)?.map(core_index),
            _ => {}
        }
        Ok(())
    }
}

/// An index that no core has stays one.
fn core_index(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn number(name: &str, value: &str) -> Result<Option<u64>, DeviceProcessError> {
    if value.is_empty() || value == "off" {
        return Ok(None);
    }
    value
        .parse()
        .map(Some)
        .map_err(|_| DeviceProcessError::Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: "a number that is not negative, or off",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_and_undone() {
        let mut settings = Settings::default();
        settings.set("seed", "3").unwrap();
        settings.set("late-host", "50").unwrap();
        settings.set("dead-core", "7").unwrap();
        settings.set("memory-bytes", "x").unwrap();
        assert_eq!(settings.seed, 3);
        assert_eq!(settings.late_host, Some(400_000));
        assert_eq!(settings.dead_core, Some(7));
        settings.set("dead-core", "off").unwrap();
        assert_eq!(settings.dead_core, None);
        assert!(settings.set("kill-at", "soon").is_err());
    }
}
