//! What a build is for: platform, ring size and profile, parsed with one-line errors.

use anyhow::{Result, bail};
use lanescope_abi::{Chip, ChipInfo, DEFAULT_RING_SIZE, RING_SIZES};

/// One of the four platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The chip behind it.
    pub chip: Chip,
    /// Whether the simulated driver stands in for the hardware.
    pub is_simulated: bool,
}

impl Platform {
    /// Every platform, in the order messages list them.
    pub fn all() -> impl Iterator<Item = Self> {
        Chip::ALL
            .into_iter()
            .flat_map(|chip| [false, true].map(|is_simulated| Self { chip, is_simulated }))
    }

    /// The platform with this name.
    pub fn parse(name: &str) -> Result<Self> {
        match Self::all().find(|platform| platform.name() == name) {
            Some(platform) => Ok(platform),
            None => {
                let known: Vec<_> = Self::all().map(Self::name).collect();
                bail!(
                    "unknown platform '{name}': expected one of {}",
                    known.join(", ")
                )
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let info: &ChipInfo = self.chip.info();
        if self.is_simulated {
            info.sim_name
        } else {
            info.name
        }
    }
}

/// Everything that tells one build folder from another.
#[derive(Clone, Debug)]
pub struct Selection {
    /// For which platform.
    pub platform: Platform,
    /// Slots of the staging ring.
    pub ring_size: u32,
    /// Cargo profile.
    pub profile: String,
}

impl Selection {
    /// Checks what the user typed.
    pub fn parse(platform: &str, ring_size: Option<&str>, profile: &str) -> Result<Self> {
        let platform = Platform::parse(platform)?;
        let ring_size = match ring_size {
            None => DEFAULT_RING_SIZE,
            Some(text) => match text.parse().ok().filter(|size| RING_SIZES.contains(size)) {
                Some(size) => size,
                None => bail!("ring size '{text}' is not one of 1, 2, 4, 8, 16"),
            },
        };
        if profile.is_empty()
            || !profile
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            bail!("'{profile}' is not the name of a cargo profile such as dev or release");
        }
        Ok(Self {
            platform,
            ring_size,
            profile: profile.to_owned(),
        })
    }

    /// Name of the build folder.
    pub fn folder(&self) -> String {
        format!(
            "{}-ring{}-{}",
            self.platform.name(),
            self.ring_size,
            self.profile
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_what_was_typed_and_what_is_expected() {
        let error = Selection::parse("a6", None, "release").expect_err("no such platform");
        assert_eq!(
            error.to_string(),
            "unknown platform 'a6': expected one of a2a3, a2a3sim, a5, a5sim"
        );
        for ring_size in ["3", "32", "0", "-1", "two", ""] {
            let error =
                Selection::parse("a5", Some(ring_size), "release").expect_err("no such ring");
            assert!(
                error
                    .to_string()
                    .contains(&format!("'{ring_size}' is not one of 1, 2, 4, 8, 16"))
            );
        }
        assert!(Selection::parse("a5", None, "../x").is_err());
    }

    #[test]
    fn a_folder_is_named_for_all_that_tells_builds_apart() {
        let selection = Selection::parse("a2a3sim", Some("8"), "dev").expect("valid");
        assert_eq!(selection.folder(), "a2a3sim-ring8-dev");
    }
}
