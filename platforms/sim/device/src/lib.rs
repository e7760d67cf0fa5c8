//! The device process of the simulated driver: a chip in virtual time.
//!
//! # Where it sits
//!
//! The simulated driver starts it as a process of its own and sends it launches
//! ([`lanescope_sim_wire`]). Programs and kernels arrive as bytes, are loaded here, and reach the
//! chip through the [`lanescope_abi::DeviceTable`] they are given.
//!
//! # The parts
//!
//! - [`engine`]: agents (AICPU threads and AICores) as stackful coroutines, ordered by one virtual
//!   clock; [`machine`] runs them.
//! - [`interface`] and [`relax`]: what each call of the device interface does and costs.
//! - [`fault`]: what goes wrong with shared lines when a setting asks for it.
//! - [`memory`], [`view`], [`registers`], [`lanes`]: the state agents see.
//! - [`program`], [`kernel`]: loading and calling what the host sent.
//! - [`device`]: streams and launches; [`control`]: the socket; [`watchdog`]: the last resort.
//!
//! # Ordering
//!
//! One seed, one timeline: nothing an agent can read depends on how fast this process or the host
//! runs. The [`engine`] says how that is kept.

pub mod agent;
pub mod clock;
pub mod control;
pub mod cost;
pub mod device;
pub mod engine;
pub mod error;
pub mod fault;
pub mod image;
pub mod inbox;
pub mod interface;
pub mod kernel;
pub mod lanes;
pub mod machine;
pub mod memory;
pub mod program;
pub mod queue;
pub mod registers;
pub mod relax;
pub mod table;
pub mod view;
pub mod watchdog;
