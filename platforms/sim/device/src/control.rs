//! The socket: the greeting, the control thread that reads frames, and the way back.
//!
//! # Errors
//!
//! When the host closes its end, or sends what is no frame, the process ends at once: nobody is
//! left to run for.

use crate::device::{Device, Ends};
use crate::engine::Engine;
use crate::error::DeviceProcessError;
use crate::inbox::Inbox;
use crate::memory::Memory;
use crate::threads::board::Board;
use crate::threads::device::{News, ThreadDevice};
use crate::watchdog::{self, PATIENCE, Progress, Report};
use lanescope_sim_wire::{DEVICE_MEMORY_ADDRESS, DeviceFrame, DeviceSettings, Frame, HostFrame};
use rustix::fd::BorrowedFd;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Serves the host at the other end of `socket` with the memory in `memory`, until it closes its
/// end.
///
/// # Errors
///
/// [`DeviceProcessError`] when the device cannot be set up.
pub fn serve(socket: UnixStream, memory: BorrowedFd<'_>) -> Result<(), DeviceProcessError> {
    let mut socket = socket;
    let Some(greeting) = HostFrame::receive(&mut socket)? else {
        return Ok(());
    };
    let HostFrame::Hello {
        chip,
        memory_bytes,
        settings: given,
        ..
    } = greeting
    else {
        return Err(DeviceProcessError::NoGreeting {
            found: "another frame",
        });
    };
    let mut settings = DeviceSettings::default();
    for (name, value) in given {
        settings.set(&name, &value)?;
    }
    let memory = Memory::map(memory, DEVICE_MEMORY_ADDRESS, memory_bytes)?;
    let clone = || {
        socket
            .try_clone()
            .map_err(lanescope_sim_wire::WireError::from)
    };
    let report = Arc::new(SocketReport {
        socket: Mutex::new(clone()?),
    });
    let silenced = clone()?;
    SOCKET.get_or_init(|| silenced);
    let ends = Ends {
        kill: end_killed,
        close: fall_silent,
    };
    if settings.threads {
        let board = Board::new(chip, memory);
        let inbox = Arc::new(Inbox::default());
        let frames = Arc::clone(&inbox);
        read_frames(socket, move |frame| frames.push(News::Frame(frame)));
        report.report(DeviceFrame::Ready);
        ThreadDevice::new(board, settings, inbox, report, ends).serve()
    }
    let progress = Progress::leaked();
    let engine = Engine::new(chip, memory, progress);
    let inbox = Arc::new(Inbox::default());
    let frames = Arc::clone(&inbox);
    watchdog::start(progress, report.clone(), PATIENCE, end_stuck);
    read_frames(socket, move |frame| frames.push(frame));
    report.report(DeviceFrame::Ready);
    Device::new(engine, settings, inbox, report, ends).serve()
}

/// Reads frames on a thread of its own.
fn read_frames(mut socket: UnixStream, take: impl Fn(HostFrame) + Send + 'static) {
    let reader = move || {
        while let Ok(Some(frame)) = HostFrame::receive(&mut socket) {
            take(frame);
        }
        end_process(0);
    };
    if std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(reader)
        .is_err()
    {
        end_process(EXIT_NO_THREAD);
    }
}

/// Sends frames to the host.
#[derive(Debug)]
struct SocketReport {
    socket: Mutex<UnixStream>,
}

impl Report for SocketReport {
    fn report(&self, frame: DeviceFrame) {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // A host that is gone does not matter: the control thread sees it as well.
        let _ = frame.send(&mut *socket);
    }
}

/// The socket, for who only wants to close it.
static SOCKET: OnceLock<UnixStream> = OnceLock::new();

/// The fault `close-at`: the host hears nothing any more, and the process goes on.
fn fall_silent() {
    if let Some(socket) = SOCKET.get() {
        // A host that is gone hears nothing anyway.
        let _ = socket.shutdown(Shutdown::Write);
    }
}

const EXIT_KILLED: i32 = 3;
const EXIT_STUCK: i32 = 4;
const EXIT_NO_THREAD: i32 = 5;

/// The fault `kill-at`.
fn end_killed() {
    end_process(EXIT_KILLED);
}

/// Device code that never comes back.
fn end_stuck() {
    end_process(EXIT_STUCK);
}

/// Ends the process without running anything of the programs loaded into it.
fn end_process(code: i32) -> ! {
    #[expect(
        clippy::unnecessary_safety_comment,
        reason = "a foreign declaration promises its type"
    )]
    // SAFETY: the type is the C library's.
    unsafe extern "C" {
        fn _exit(code: i32) -> !;
    }
    // SAFETY: takes any code, and does not return.
    unsafe { _exit(code) }
}
