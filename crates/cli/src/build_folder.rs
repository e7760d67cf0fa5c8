//! Finds the build folder that goes with a platform.

use crate::arguments::TargetArguments;
use anyhow::{Context, Result, anyhow, bail};
use lanescope::{Build, NamedPlatform};
use std::path::{Path, PathBuf};

/// Names a build folder where `--build` does not.
const ENVIRONMENT: &str = "LANESCOPE_BUILD";

/// A platform and its build.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) platform: NamedPlatform,
    pub(crate) build: Build,
}

impl Target {
    /// The folder that was named; else the one this command lies in, when it is for the platform;
    /// else one beside it. Without a platform, that of the folder.
    pub(crate) fn find(arguments: &TargetArguments) -> Result<Self> {
        let platform = arguments
            .platform
            .as_deref()
            .map(lanescope::platform)
            .transpose()?;
        let own = own_folder();
        let named = arguments
            .build
            .clone()
            .or_else(|| std::env::var_os(ENVIRONMENT).map(PathBuf::from));
        let build = match (named, &own, &platform) {
            (Some(folder), _, _) => Build::open(folder)?,
            (None, Some(own), None) => own.clone(),
            (None, Some(own), Some(platform)) => beside(own, platform)?,
            (None, None, platform) => {
                let name = platform.as_ref().map_or("PLATFORM", NamedPlatform::name);
                bail!(
                    "no build folder was named, and this command lies in none; make one with \
                     `cargo xtask build --platform {name}` and name it with --build or {ENVIRONMENT}"
                );
            }
        };
        let platform = match platform {
            Some(platform) => platform,
            None => lanescope::platform(build.platform())
                .with_context(|| format!("build {}", build.dir().display()))?,
        };
        if platform.name() != build.platform() {
            bail!(
                "build {} is for {}, not for {}; make another with `cargo xtask build --platform {}`",
                build.dir().display(),
                build.platform(),
                platform.name(),
                platform.name()
            );
        }
        Ok(Self { platform, build })
    }
}

/// The build folder this command was installed into, as `<folder>/bin/lanescope`.
fn own_folder() -> Option<Build> {
    let executable = std::env::current_exe().ok()?;
    let folder = executable.parent()?.parent()?;
    folder.join("manifest.json").exists().then_some(())?;
    match Build::open(folder) {
        Ok(build) => Some(build),
        Err(error) => {
            log::warn!("{error}");
            None
        }
    }
}

/// The own folder or, when it is for another platform, the most alike of those beside it.
fn beside(own: &Build, platform: &NamedPlatform) -> Result<Build> {
    if own.platform() == platform.name() {
        return Ok(own.clone());
    }
    let candidates = siblings(own.dir(), platform.name());
    candidates
        .into_iter()
        .filter_map(|folder| Build::open(folder).ok())
        .filter(|build| build.platform() == platform.name())
        .max_by_key(|build| {
            let same_ring = build.ring_size() == own.ring_size();
            let same_profile = build.manifest().profile == own.manifest().profile;
            (
                same_profile,
                same_ring,
                std::cmp::Reverse(build.ring_size()),
            )
        })
        .ok_or_else(|| {
            anyhow!(
                "no build for {0} beside {1}; make one with `cargo xtask build --platform {0}`",
                platform.name(),
                own.dir().display()
            )
        })
}

/// Folders beside `own` whose name begins as those of the platform do.
fn siblings(own: &Path, platform: &str) -> Vec<PathBuf> {
    let Some(parent) = own.parent() else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let prefix = format!("{platform}-ring");
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders
}
