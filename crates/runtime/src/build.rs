//! A build folder: device programs, kernels and the manifest that says what they were built for.

use crate::{Result, RuntimeError};
use lanescope_abi::{Chip, RING_SIZES};
use lanescope_platform::Programs;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The largest manifest that is read.
pub const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The largest device program or kernel image that is read.
pub const MAX_IMAGE_BYTES: u64 = 256 << 20;

/// An opened build folder.
#[derive(Clone, Debug)]
pub struct Build {
    dir: PathBuf,
    manifest: Manifest,
    chip: Chip,
    abi_hash: u64,
}

/// `manifest.json` as the build wrote it.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// `a2a3`, `a2a3sim`, `a5` or `a5sim`.
    pub platform: String,
    /// `a2a3` or `a5`.
    pub chip: String,
    /// Ring size of the device programs.
    pub ring_size: u32,
    /// ABI hash of the build, `0x` and 16 hexadecimal digits.
    pub abi_hash: String,
    /// ABI version of the build.
    pub abi_version: u32,
    /// Cargo profile.
    pub profile: String,
    /// Compilers that were used.
    #[serde(default)]
    pub toolchains: Toolchains,
    /// Device programs, paths in the folder.
    device: DevicePaths,
    /// Kernel images by name, paths in the folder.
    #[serde(default, deserialize_with = "each_name_once")]
    kernels: BTreeMap<String, PathBuf>,
    /// Parts that were not built, with the reason.
    #[serde(default)]
    pub skipped: Vec<String>,
}

/// Versions of the compilers of a build.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Toolchains {
    /// `rustc --version`.
    #[serde(default)]
    pub rustc: Option<String>,
    /// First line of `c++ --version`.
    #[serde(default)]
    pub cxx: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct DevicePaths {
    aicpu: Option<PathBuf>,
    aicore: Option<PathBuf>,
    dispatcher: Option<PathBuf>,
}

impl Build {
    /// Reads `manifest.json` of the folder; programs and kernels are read when they are asked for.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Build`] when there is no manifest or it does not say what it must.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let path = dir.join("manifest.json");
        let text = read(&path, MAX_MANIFEST_BYTES)?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| refuse(&path, error))?;
        let chip = Chip::ALL
            .into_iter()
            .find(|chip| chip.name() == manifest.chip)
            .ok_or_else(|| {
                refuse(
                    &path,
                    format!("chip is {:?}, expected a2a3 or a5", manifest.chip),
                )
            })?;
        if !RING_SIZES.contains(&manifest.ring_size) {
            let ring_size = manifest.ring_size;
            return Err(refuse(
                &path,
                format!("ring_size is {ring_size}, expected one of {RING_SIZES:?}"),
            ));
        }
        let platforms = [chip.name(), chip.info().sim_name];
        if !platforms.contains(&manifest.platform.as_str()) {
            let [hardware, simulated] = platforms;
            let platform = &manifest.platform;
            let text = format!("platform is {platform:?}, expected {hardware} or {simulated}");
            return Err(refuse(&path, text));
        }
        let is_digits = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let abi_hash = manifest
            .abi_hash
            .strip_prefix("0x")
            .filter(is_digits)
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or_else(|| {
                refuse(
                    &path,
                    format!(
                        "abi_hash is {:?}, expected 0x and hexadecimal digits",
                        manifest.abi_hash
                    ),
                )
            })?;
        Ok(Self {
            dir,
            manifest,
            chip,
            abi_hash,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the build says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The chip it is for.
    #[must_use]
    pub fn chip(&self) -> Chip {
        self.chip
    }

    /// The platform it is for.
    #[must_use]
    pub fn platform(&self) -> &str {
        &self.manifest.platform
    }

    /// Ring size of its device programs.
    #[must_use]
    pub fn ring_size(&self) -> u32 {
        self.manifest.ring_size
    }

    /// ABI hash it was built with.
    #[must_use]
    pub fn abi_hash(&self) -> u64 {
        self.abi_hash
    }

    /// Whether it is for the simulated driver.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.manifest.platform == self.chip.info().sim_name
    }

    /// Where the simulated driver lies, for builds that have one.
    #[must_use]
    pub fn driver_dir(&self) -> Option<PathBuf> {
        self.is_simulated().then(|| self.dir.join("driver"))
    }

    /// Reads the device programs.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Build`] when a program was not built or cannot be read.
    pub fn programs(&self) -> Result<Programs> {
        let device = &self.manifest.device;
        Ok(Programs {
            aicpu: self.program("AICPU program", device.aicpu.as_deref())?,
            aicore: self.program("AICore program", device.aicore.as_deref())?,
            dispatcher: device
                .dispatcher
                .as_deref()
                .map(|path| self.program("dispatcher", Some(path)))
                .transpose()?,
        })
    }

    /// Reads the kernel image with this name.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Build`] when the build has no such kernel (the message lists those it has)
    /// or it cannot be read.
    pub fn kernel(&self, name: &str) -> Result<Arc<[u8]>> {
        let Some(path) = self.manifest.kernels.get(name) else {
            let known: Vec<&str> = self.kernel_names().collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(refuse(
                &self.dir,
                format!("no kernel named {name}; it has {known}"),
            ));
        };
        self.image(path)
    }

    /// The names of its kernels.
    pub fn kernel_names(&self) -> impl Iterator<Item = &str> {
        self.manifest.kernels.keys().map(String::as_str)
    }

    fn program(&self, what: &str, path: Option<&Path>) -> Result<Arc<[u8]>> {
        let Some(path) = path else {
            let skipped = if self.manifest.skipped.is_empty() {
                "the manifest does not say why".to_owned()
            } else {
                self.manifest.skipped.join("; ")
            };
            return Err(refuse(
                &self.dir,
                format!("the {what} was not built: {skipped}"),
            ));
        };
        self.image(path)
    }

    /// Reads a file that the manifest names; it lies in the folder.
    fn image(&self, path: &Path) -> Result<Arc<[u8]>> {
        let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(is_inside) {
            let text = format!("the manifest names {}, outside the folder", path.display());
            return Err(refuse(&self.dir, text));
        }
        Ok(Arc::from(read(&self.dir.join(path), MAX_IMAGE_BYTES)?))
    }
}

/// Reads a file of at most `limit` bytes; nothing that is no file, which might never end.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let refused = |error| refuse(path, error);
    let facts = std::fs::metadata(path).map_err(refused)?;
    if !facts.is_file() {
        return Err(refuse(path, "it is no file"));
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(refused)?.take(limit + 1);
    file.read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > limit {
        return Err(refuse(path, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Kernels by name; a name that comes twice is refused, for either could be meant.
fn each_name_once<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<BTreeMap<String, PathBuf>, D::Error> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = BTreeMap<String, PathBuf>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("kernel images by name")
        }

        fn visit_map<A: MapAccess<'de>>(
            self,
            mut map: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            let mut kernels = BTreeMap::new();
            while let Some((name, path)) = map.next_entry::<String, PathBuf>()? {
                if kernels.contains_key(&name) {
                    return Err(A::Error::custom(format!("two kernels named {name}")));
                }
                kernels.insert(name, path);
            }
            Ok(kernels)
        }
    }

    from.deserialize_map(Names)
}

fn refuse(path: &Path, reason: impl ToString) -> RuntimeError {
    RuntimeError::Build {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
