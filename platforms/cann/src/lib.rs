//! What the two backends share: device, streams, memory, programs and launch over `cann-sys`.
//!
//! # Where it sits
//!
//! Between `cann-sys`, which knows only functions and numbers, and the backends `a2a3` and `a5`,
//! which bring what differs between the chips as a [`Backend`]. The rest of the project sees it as
//! [`lanescope_platform::Device`] alone.
//!
//! # Ordering
//!
//! A device is released in one order, whoever drops what last: streams; host views before the
//! memory behind them; kernel handles; memory; the device itself. Everything that belongs to a
//! device holds its [`Context`], so the reset comes last of all, also when opening stops half-way.
//!
//! # Errors
//!
//! [`lanescope_platform::PlatformError`]. The first failure that makes a device unusable is kept:
//! later calls that would start something answer with it. Copies, views and waits still reach the
//! driver, since what a failed run left behind is read through them.

mod backend;
mod bound;
mod calls;
mod context;
mod device;
mod kernel;
mod launch;
mod memory;
mod programs;
mod stream;
mod turn;
mod visible;

pub use backend::{Backend, Registers};
pub use calls::{hal_result, load_driver, missing_function};
pub use context::{Binding, Context};
pub use device::open;
pub use kernel::kernel_bytes;
pub use memory::Memory;

pub use cann_sys::Simulator;

use lanescope_platform::Result;
use std::path::Path;

/// The controls of the driver in `driver_dir`, or of the one that is found without a folder, when
/// it is a simulated one: settings, call counts and leak reports.
///
/// # Errors
///
/// [`lanescope_platform::PlatformError::DriverNotFound`].
pub fn simulator(driver_dir: Option<&Path>) -> Result<Option<Simulator>> {
    Ok(load_driver(driver_dir, &[])?.simulator)
}
