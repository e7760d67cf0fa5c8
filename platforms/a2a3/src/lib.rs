//! The backend of Ascend 910B and 910C.
//!
//! # Where it sits
//!
//! Brings what is particular to the chip to `lanescope-cann`, which does the rest: host views of
//! device memory, register windows, and the functions they need.
//! On the simulated driver it is the very same code.

mod mapping;
mod registers;

use lanescope_abi::ChipInfo;
use lanescope_abi::chip::A2A3;
use lanescope_cann::{Backend, Context, Registers};
use lanescope_platform::{Device, DeviceMemory, Mapping, OpenOptions, Platform, Result};
use std::sync::Arc;

/// Ascend 910B and 910C.
#[derive(Clone, Copy, Debug, Default)]
pub struct A2a3Platform;

impl Platform for A2a3Platform {
    fn name(&self) -> &'static str {
        A2A3.name
    }

    fn chip(&self) -> &'static ChipInfo {
        &A2A3
    }

    fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Device>> {
        lanescope_cann::open(&A2a3, options)
    }
}

#[derive(Debug)]
struct A2a3;

impl Backend for A2a3 {
    fn chip(&self) -> &'static ChipInfo {
        &A2A3
    }

    fn required_functions(&self) -> &'static [&'static str] {
        &["halHostRegister", "halHostUnregister", "halMemCtl"]
    }

    fn soc_prefixes(&self) -> &'static [&'static str] {
        &["Ascend910B", "Ascend910_93"]
    }

    fn is_coherent(&self) -> bool {
        true
    }

    fn usable_clusters(&self, context: &Context) -> u32 {
        registers::usable_cores(context).count_ones()
    }

    fn map(
        &self,
        context: &Arc<Context>,
        memory: &Arc<dyn DeviceMemory>,
        bytes: u64,
    ) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(mapping::RegisteredMapping::register(
            context, memory, bytes,
        )?))
    }

    fn map_registers(&self, context: &Arc<Context>) -> Result<Registers> {
        registers::map(context)
    }

    fn map_pmu_registers(&self, context: &Arc<Context>) -> Result<Vec<u64>> {
        registers::map_pmu(context)
    }
}
