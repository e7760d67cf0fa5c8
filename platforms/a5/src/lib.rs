//! The backend of Ascend 950.
//!
//! # Where it sits
//!
//! Brings what is particular to the chip to `lanescope-cann`, which does the rest: shadows of
//! device memory, register windows, and the functions they need. On the simulated driver it is the
//! very same code.

mod mapping;
mod registers;

use lanescope_abi::ChipInfo;
use lanescope_abi::chip::A5;
use lanescope_cann::{Backend, Context, Registers};
use lanescope_platform::{Device, DeviceMemory, Mapping, OpenOptions, Platform, Result};
use std::sync::Arc;

/// Ascend 950.
#[derive(Clone, Copy, Debug, Default)]
pub struct A5Platform;

impl Platform for A5Platform {
    fn name(&self) -> &'static str {
        A5.name
    }

    fn chip(&self) -> &'static ChipInfo {
        &A5
    }

    fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Device>> {
        lanescope_cann::open(&A5Backend, options)
    }
}

#[derive(Debug)]
struct A5Backend;

impl Backend for A5Backend {
    fn chip(&self) -> &'static ChipInfo {
        &A5
    }

    fn required_functions(&self) -> &'static [&'static str] {
        &["halResMap"]
    }

    fn soc_prefixes(&self) -> &'static [&'static str] {
        &["Ascend950"]
    }

    fn is_coherent(&self) -> bool {
        false
    }

    fn usable_clusters(&self, context: &Context) -> u32 {
        registers::usable_cores(context)
    }

    fn map(
        &self,
        context: &Arc<Context>,
        memory: &Arc<dyn DeviceMemory>,
        bytes: u64,
    ) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(mapping::ShadowMapping::create(
            context, memory, bytes,
        )?))
    }

    fn map_registers(&self, context: &Arc<Context>) -> Result<Registers> {
        registers::map(context)
    }

    /// None: the counters lie in the windows.
    fn map_pmu_registers(&self, _context: &Arc<Context>) -> Result<Vec<u64>> {
        Ok(Vec::new())
    }
}
