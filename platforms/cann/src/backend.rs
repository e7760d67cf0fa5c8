//! What differs between the chips.

use crate::Context;
use lanescope_abi::ChipInfo;
use lanescope_platform::{DeviceMemory, Mapping, Result};
use std::fmt;
use std::sync::Arc;

/// One chip's way to reach registers and device memory.
pub trait Backend: Send + Sync + fmt::Debug {
    /// The chip.
    fn chip(&self) -> &'static ChipInfo;

    /// Functions it needs beyond those every chip needs.
    fn required_functions(&self) -> &'static [&'static str];

    /// How the vendor's SoC names of this chip begin.
    fn soc_prefixes(&self) -> &'static [&'static str];

    /// Whether its mappings see the device's writes at once.
    fn is_coherent(&self) -> bool;

    /// Usable clusters, as far as the driver says; the chip's limit is applied by the caller.
    fn usable_clusters(&self, context: &Context) -> u32;

    /// A host view of the first `bytes` bytes of `memory`.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn map(
        &self,
        context: &Arc<Context>,
        memory: &Arc<dyn DeviceMemory>,
        bytes: u64,
    ) -> Result<Box<dyn Mapping>>;

    /// The register window of every physical core.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn map_registers(&self, context: &Arc<Context>) -> Result<Registers>;

    /// The page of hardware counters of every physical core; empty where they lie in the windows.
    ///
    /// # Errors
    ///
    /// The driver's refusal.
    fn map_pmu_registers(&self, context: &Arc<Context>) -> Result<Vec<u64>>;
}

/// The register windows of a device.
#[derive(Debug)]
pub struct Registers {
    /// Window address by physical core, valid on the device alone; 0 for an unusable core.
    pub windows: Vec<u64>,
    /// Gives the windows back when dropped, where the driver wants that.
    pub release: Option<Box<dyn Release>>,
}

/// Something that is released by being dropped.
pub trait Release: Send + Sync + fmt::Debug {}

impl<T: Send + Sync + fmt::Debug> Release for T {}
