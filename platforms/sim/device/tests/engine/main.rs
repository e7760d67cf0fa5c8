//! The engine of the simulated device, with agents of the tests' own.

mod agents;
mod host_buffers;
mod pmu;
#[path = "../rig/mod.rs"]
mod rig;
