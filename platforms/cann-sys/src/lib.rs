//! Raw bindings of the vendor driver and their run-time loader.
//!
//! # Where it sits
//!
//! Below every backend, above the vendor's shared objects. Nothing is linked: [`load`] opens the
//! libraries when a device is opened, so a program runs where no driver is installed. The bindings
//! are made from `include/cann.h` with the arguments of `bindgen.args`, by `cargo xtask bindgen`.
//!
//! # Errors
//!
//! [`LoadError`]. What a driver call returns is a plain number here, named by [`codes`].

pub mod codes;
mod load;
mod simulator;

pub use codes::{Code, hal_code, runtime_code};
pub use load::{DRIVER_DIR_VARIABLE, Libraries, LoadError, load};
pub use simulator::Simulator;

/// The driver's functions, types and values, named as the vendor names them.
#[allow(
    missing_docs,
    missing_debug_implementations,
    non_camel_case_types,
    non_snake_case,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    clippy::multiple_unsafe_ops_per_block,
    reason = "generated; the names are the vendor's"
)]
#[rustfmt::skip]
pub mod bindings;
