//! The platforms of this build, by the names users write.

use crate::{LanescopeError, Result};
use lanescope_abi::ChipInfo;
use lanescope_platform::{Device, OpenOptions, Platform};
use lanescope_runtime::Build;
use std::sync::Arc;

/// Names the folder of the driver, whatever the build brings.
const DRIVER_DIR_VARIABLE: &str = "LANESCOPE_DRIVER_DIR";

/// A platform as users name it: a backend, on hardware or on the simulated driver.
#[derive(Clone, Debug)]
pub struct NamedPlatform {
    name: &'static str,
    simulated: bool,
    backend: Arc<dyn Platform>,
}

/// Every platform of this build: `a2a3`, `a2a3sim`, `a5`, `a5sim`, as its features allow.
#[must_use]
pub fn platforms() -> Vec<NamedPlatform> {
    crate::backends()
        .into_iter()
        .flat_map(|backend| {
            let chip = backend.chip();
            [(chip.name, false), (chip.sim_name, true)].map(|(name, simulated)| NamedPlatform {
                name,
                simulated,
                backend: Arc::clone(&backend),
            })
        })
        .collect()
}

/// The platform with this name.
///
/// # Errors
///
/// [`LanescopeError::UnknownPlatform`], which lists those there are.
pub fn platform(name: &str) -> Result<NamedPlatform> {
    platforms()
        .into_iter()
        .find(|platform| platform.name == name)
        .ok_or_else(|| LanescopeError::UnknownPlatform {
            name: name.to_owned(),
            known: names(),
        })
}

/// The hardware platform of the only enabled feature.
///
/// # Errors
///
/// [`LanescopeError::NoDefaultPlatform`] when several features are enabled.
pub fn default_platform() -> Result<NamedPlatform> {
    let mut hardware = platforms()
        .into_iter()
        .filter(|platform| !platform.simulated);
    match (hardware.next(), hardware.next()) {
        (Some(platform), None) => Ok(platform),
        _ => Err(LanescopeError::NoDefaultPlatform { known: names() }),
    }
}

impl NamedPlatform {
    /// The name users write.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The chip.
    #[must_use]
    pub fn chip(&self) -> &'static ChipInfo {
        self.backend.chip()
    }

    /// Whether it runs on the simulated driver.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// Opens a device with the driver of the build, where the build brings one.
    ///
    /// # Errors
    ///
    /// [`LanescopeError::OtherBuild`]; [`LanescopeError::Open`] with the driver's refusal.
    pub fn open(&self, build: &Build, mut options: OpenOptions) -> Result<Arc<dyn Device>> {
        if build.platform() != self.name {
            return Err(LanescopeError::OtherBuild {
                folder: build.dir().display().to_string(),
                build: build.platform().to_owned(),
                platform: self.name.to_owned(),
            });
        }
        // A folder the user names wins over the one of the build.
        let is_named = std::env::var_os(DRIVER_DIR_VARIABLE).is_some_and(|dir| !dir.is_empty());
        if options.driver_dir.is_none() && !is_named {
            options.driver_dir = build.driver_dir();
        }
        self.backend
            .open(&options)
            .map_err(|source| LanescopeError::Open {
                device: options.device,
                platform: self.name,
                source,
            })
    }
}

fn names() -> String {
    let names: Vec<&str> = platforms().iter().map(|platform| platform.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_has_a_hardware_and_a_simulated_name() {
        for named in platforms() {
            let found = platform(named.name()).expect("it is listed");
            assert_eq!(found.is_simulated(), named.name().ends_with("sim"));
            assert!(named.name().starts_with(named.chip().name));
        }
    }

    #[test]
    fn an_unknown_platform_is_refused_with_the_known_ones() {
        let text = platform("a4").expect_err("refused").to_string();
        assert!(
            text.starts_with("no platform is called a4; this build knows a"),
            "{text}"
        );
    }

    #[test]
    fn the_default_is_the_only_one_or_none() {
        let enabled = [cfg!(feature = "a2a3"), cfg!(feature = "a5")];
        match default_platform() {
            Ok(platform) => {
                assert_ne!(enabled, [true; 2]);
                assert!(!platform.is_simulated());
            }
            Err(error) => {
                assert_eq!(enabled, [true; 2]);
                assert!(error.to_string().contains("a2a3, a2a3sim, a5, a5sim"));
            }
        }
    }
}
