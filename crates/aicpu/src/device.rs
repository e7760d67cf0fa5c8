//! The two ways a program reaches the device: through a table, or inlined on the chip.

#[cfg(target_arch = "aarch64")]
mod chip;
mod table;

#[cfg(target_arch = "aarch64")]
pub use chip::ChipDevice;
pub use table::{TableDevice, TableError};
