//! The executable that the simulated driver starts for each open device.

use lanescope_sim_device::control;
use lanescope_sim_wire::{MEMORY_FD, SOCKET_FD};
use std::io::Write;
use std::os::fd::{BorrowedFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    // SAFETY:
    // - The driver hands over this descriptor, and nothing else in this process owns it.
    // - Started by anybody else, the first read fails.
    let socket = unsafe { UnixStream::from_raw_fd(SOCKET_FD) };
    // SAFETY: the driver hands over this descriptor, and nothing closes it while the process lives.
    let memory = unsafe { BorrowedFd::borrow_raw(MEMORY_FD) };
    match control::serve(socket, memory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "lanescope-sim-device: {error}");
            ExitCode::from(2)
        }
    }
}
