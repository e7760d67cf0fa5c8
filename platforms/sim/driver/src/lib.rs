//! The simulated vendor driver: the state library behind the vendor's symbols.
//!
//! # Where it sits
//!
//! A host program opens `libruntime.so`, `libascendcl.so` and `libascend_hal.so` of a driver
//! directory. Each is a thin C library (`forward/*.c`) that exports exactly the vendor's names and
//! forwards each to `sim_<name>` of this library, `liblanescope_sim.so`, which holds the state. The
//! device itself is another process, `lanescope-sim-device`, reached through the frames of
//! `lanescope-sim-wire`; device memory is a file that both map. The driver directory holds, side
//! by side: the four libraries, the executable, and `chip`, a text file that says `a2a3` or `a5`.
//! This library may bear another name there; two drivers in one process need two.
//!
//! ```text
//! cargo build -p lanescope-sim-driver
//! cc -shared -fPIC -O2 -I platforms/cann-sys/include -Wl,-soname,libruntime.so \
//!    -Wl,-rpath,'$ORIGIN' -Wl,--disable-new-dtags -Wl,--no-undefined \
//!    -o $DIR/libruntime.so platforms/sim/driver/forward/runtime.c -L $DIR -llanescope_sim
//! ```
//!
//! and the same for `libascendcl.so` (`ascendcl.c`) and `libascend_hal.so` (`ascend_hal.c`), after
//! `liblanescope_sim.so` has been copied to `$DIR`. Without `--disable-new-dtags` the search path of
//! the environment comes before `$ORIGIN`; Cargo sets one that leads to another copy of the state
//! library, and each copy takes the files beside itself.
//!
//! # What it promises
//!
//! The argument checks, codes and life cycles that the vendor's driver is known to have, also where
//! they are odd. The host has no view of device memory until it registers one (a2a3), and never on
//! a5. Register addresses mean nothing on the host. Copies to and from an a5 device move whole
//! words, in an order that changes from copy to copy.
//!
//! # Control
//!
//! Five more symbols steer and observe the driver; a program finds them through the handle of
//! `libruntime.so`. `LANESCOPE_SIM="name=value,…"` gives the same settings when the driver starts.
//!
//! - `int32_t lanescope_sim_set(const char *name, const char *value)`: 0, or 107000 when refused.
//! - `uint64_t lanescope_sim_leaks(char *text, uint64_t capacity)`: objects that resets found alive.
//! - `uint64_t lanescope_sim_calls(const char *name)`: calls of a function; of all for `""`.
//! - `int32_t lanescope_sim_device_pid(int32_t device)`: the device process, or -1.
//! - `uint64_t lanescope_sim_held(int32_t device, const char *what)`: `bytes` of device memory, or
//!   the number of `allocations`, `registrations`, `streams` or `programs`, that are alive.
//!
//! What can be set, and what each fault ends in, is in `docs/simulator.md`.
//!
//! # Errors
//!
//! Vendor codes only; no panic crosses the C ABI. The text of the calling thread's last failure is
//! there for `aclGetRecentErrMsg`. When the device process ends by itself, every wait and every
//! later call ends at once with 507901.

mod allocation;
mod calls;
mod codes;
mod copy;
mod current;
mod device;
mod driver;
mod exports;
mod handle;
mod leaks;
mod memory;
mod open;
mod process;
mod program;
mod registration;
mod settings;
mod stream;
mod transfer;
mod vendor;
mod visible;
mod wait;
