//! The device process of the simulated driver: a chip in virtual time, or one of threads.
//!
//! # Where it sits
//!
//! The simulated driver starts it as a process of its own and sends it launches
//! ([`lanescope_sim_wire`]). Programs and kernels arrive as bytes, are loaded here, and reach the
//! chip through the [`lanescope_abi::DeviceTable`] they are given.
//!
//! # The parts
//!
//! - [`launch`], [`program`], [`kernel`], [`loader`]: what the host sent, loaded and called.
//! - [`memory`], [`view`], [`register_map`]: the state agents see; [`table`]: how they are called.
//! - [`cost`]: how long things last; [`activity`] and [`pmu`]: what the hardware counters see of it.
//! - Virtual time: [`engine`] orders agents (AICPU threads and AICores), which are stackful
//!   coroutines, by one clock; [`machine`] runs them; [`interface`], [`copy`] and [`relax`] say what each
//!   call does and costs; [`registers`] and [`lanes`] when others see it; [`fault`] what goes wrong
//!   with shared lines; [`device`] when launches start. [`watchdog`] is the last resort.
//! - [`threads`]: the same agents as real threads.
//! - [`control`]: the socket.
//!
//! # Ordering
//!
//! In virtual time, one seed is one timeline: nothing an agent can read depends on how fast this
//! process or the host runs. The [`engine`] says how that is kept.

pub mod activity;
pub mod agent;
pub mod clock;
pub mod control;
pub mod copy;
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
pub mod launch;
pub mod loader;
pub mod machine;
pub mod memory;
pub mod pmu;
pub mod program;
pub mod queue;
pub mod register_map;
pub mod registers;
pub mod relax;
pub mod table;
pub mod threads;
pub mod view;
pub mod watchdog;
