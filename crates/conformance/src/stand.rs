//! Where the cases of the suite run: one device of a platform, and the builds for it.

use crate::{Case, chain};
use lanescope::{Build, Capability, Device, DeviceInfo, LanescopeError, Session};
use lanescope_examples::{VectorOptions, WorkloadOptions};
use std::error::Error;
use std::sync::Arc;

/// What a case of the suite returns; a panic is a failure as well.
pub type CaseResult = Result<(), Box<dyn Error>>;

/// What a case needs of the device or the build it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The device has it.
    Has(Capability),
    /// The device does without it.
    Lacks(Capability),
    /// Device programs and kernels, which only the vendor's compiler makes for a chip.
    Programs,
}

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct SuiteCase {
    /// `group::what_holds`.
    pub name: &'static str,
    /// What it needs; it is skipped, and says so, where one is missing.
    pub needs: &'static [Need],
    /// Whether it runs once for each ring size that was built; else once, with the first.
    pub is_for_every_ring_size: bool,
    /// What it does.
    pub run: fn(&Stand) -> CaseResult,
}

impl SuiteCase {
    /// A case that runs once.
    #[must_use]
    pub const fn new(
        name: &'static str,
        needs: &'static [Need],
        run: fn(&Stand) -> CaseResult,
    ) -> Self {
        Self {
            name,
            needs,
            is_for_every_ring_size: false,
            run,
        }
    }

    /// The case for each ring size that was built.
    #[must_use]
    pub const fn for_every_ring_size(mut self) -> Self {
        self.is_for_every_ring_size = true;
        self
    }
}

/// One device of a platform, and the build for one ring size.
#[derive(Clone, Debug)]
pub struct Stand {
    platform: &'static str,
    device: u32,
    build: Build,
    info: DeviceInfo,
    capabilities: Vec<Capability>,
}

impl Stand {
    /// Reads the build and looks what the device can do.
    ///
    /// # Errors
    ///
    /// When there is no such platform, build or device.
    pub fn find(platform: &str, device: u32, ring_size: u32) -> Result<Self, Box<dyn Error>> {
        let platform = lanescope::platform(platform)?.name();
        let case = Case {
            device,
            ..Case::new(platform, ring_size, small())
        };
        let build = case.build()?;
        let opened = case.open(&build)?;
        let has = |capability: &Capability| opened.has(*capability);
        Ok(Self {
            platform,
            device,
            build,
            info: opened.info().clone(),
            capabilities: Capability::ALL.into_iter().filter(has).collect(),
        })
    }

    /// The same device with the build for another ring size.
    ///
    /// # Errors
    ///
    /// When it was not built.
    pub fn with_ring_size(&self, ring_size: u32) -> Result<Self, Box<dyn Error>> {
        let case = Case::new(self.platform, ring_size, small());
        Ok(Self {
            build: case.build()?,
            ..self.clone()
        })
    }

    /// The platform's name.
    #[must_use]
    pub fn platform(&self) -> &'static str {
        self.platform
    }

    /// The build.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// What the device says of itself.
    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Whether the device has a capability.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The first need that is not met, as a reason to skip a case.
    #[must_use]
    pub fn missing(&self, needs: &[Need]) -> Option<String> {
        needs.iter().find_map(|need| match *need {
            Need::Has(capability) if !self.has(capability) => Some(format!("needs {capability:?}")),
            Need::Lacks(capability) if self.has(capability) => {
                Some(format!("for a device without {capability:?}"))
            }
            Need::Programs => self
                .build
                .manifest()
                .skipped
                .first()
                .map(|skipped| format!("needs all device programs; not built: {skipped}")),
            _ => None,
        })
    }

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub fn open(&self) -> Result<Arc<dyn Device>, LanescopeError> {
        self.case(small()).open(&self.build)
    }

    /// Opens the device and a session on it.
    ///
    /// # Errors
    ///
    /// The platform's refusal.
    pub fn session(&self) -> Result<Session, Box<dyn Error>> {
        let case = self.case(small());
        let device = case.open(&self.build)?;
        Ok(Session::open(device, &self.build, &case.session)?)
    }

    /// A workload on this device, with the swimlane at level 2.
    #[must_use]
    pub fn case(&self, workload: WorkloadOptions) -> Case {
        Case {
            device: self.device,
            ..Case::new(self.platform, self.build.ring_size(), workload)
        }
    }

    /// Runs a case of the suite; says what went wrong with everything beneath it.
    ///
    /// # Errors
    ///
    /// The case's failure as text.
    pub fn run(&self, case: &SuiteCase) -> Result<(), String> {
        (case.run)(self).map_err(|error| chain(&*error))
    }
}

/// A graph of tasks on vector cores in chains.
#[must_use]
pub fn vector(tasks: u64) -> WorkloadOptions {
    WorkloadOptions::Vector(VectorOptions {
        tasks,
        tile: 64,
        chains: 200.min(tasks),
    })
}

/// A graph that is run to see whether a device runs graphs.
#[must_use]
pub fn small() -> WorkloadOptions {
    vector(400)
}
