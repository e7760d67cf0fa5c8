//! The device process: started with the device, spoken to, and ended with it.

use crate::codes::{DEVICE_SETUP, Refusal, refuse};
use crate::leaks::say;
use lanescope_sim_wire::{DeviceFrame, Frame, HostFrame, MEMORY_FD, SOCKET_FD, WireError};
use rustix::io::{dup2, fcntl_dupfd_cloexec};
use rustix::net::{SendFlags, send};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The executable beside the driver libraries.
pub(crate) const EXECUTABLE: &str = "lanescope-sim-device";

/// How long a device process is waited for.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Longest start of a device process, and longest time it leaves a frame unread.
    response: Duration,
    /// Longest end of a device process after its socket was closed.
    exit: Duration,
}

const LIMITS: Limits = Limits {
    response: Duration::from_secs(20),
    exit: Duration::from_secs(5),
};
const EXIT_POLL: Duration = Duration::from_millis(1);

/// A running device process and the driver's end of its socket.
#[derive(Debug)]
pub(crate) struct Process {
    pid: i32,
    child: Mutex<Child>,
    limits: Limits,
    socket: UnixStream,
    /// Held while frames are sent that must not be separated.
    sender: Mutex<()>,
}

impl Process {
    /// Starts the process, says hello and waits until the device is up.
    pub(crate) fn start(
        dir: &Path,
        memory: BorrowedFd<'_>,
        hello: &HostFrame,
    ) -> Result<Self, Refusal> {
        Self::start_within(LIMITS, dir, memory, hello)
    }

    fn start_within(
        limits: Limits,
        dir: &Path,
        memory: BorrowedFd<'_>,
        hello: &HostFrame,
    ) -> Result<Self, Refusal> {
        let executable = dir.join(EXECUTABLE);
        let failed = |step: &str, error: &dyn std::fmt::Display| {
            refuse(
                DEVICE_SETUP,
                format_args!("{}: {step}: {error}", executable.display()),
            )
        };
        let (socket, child) =
            spawn(&executable, memory).map_err(|error| failed("not started", &error))?;
        let process = Self {
            pid: i32::try_from(child.id()).expect("a process id is positive"),
            child: Mutex::new(child),
            limits,
            socket,
            sender: Mutex::new(()),
        };
        match process.greet(hello) {
            Ok(()) => Ok(process),
            Err(error) => {
                let end = process.stop();
                Err(failed("no answer", &format_args!("{error}; {end}")))
            }
        }
    }

    fn greet(&self, hello: &HostFrame) -> Result<(), WireError> {
        self.socket.set_write_timeout(Some(self.limits.response))?;
        self.socket.set_read_timeout(Some(self.limits.response))?;
        self.turn().send(hello)?;
        match DeviceFrame::receive(&mut &self.socket)? {
            Some(DeviceFrame::Ready) => {}
            _ => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
        self.socket.set_read_timeout(None)?;
        Ok(())
    }

    /// The process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The right to send; frames of one turn arrive one after the other.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn {
            socket: &self.socket,
            _held: self.sender.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The next frame; `None` when the process closed its end.
    pub(crate) fn receive(&self) -> Result<Option<DeviceFrame>, WireError> {
        DeviceFrame::receive(&mut &self.socket)
    }

    /// Closes the socket, on which the process exits, and waits for that; one that stays is killed.
    /// Says how it ended.
    pub(crate) fn stop(&self) -> String {
        // A process that has closed its end already is no failure.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.end(self.limits.exit)
    }

    /// Waits for the end of a process that has closed its socket, and says how it ended.
    pub(crate) fn end(&self, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            match self.child().try_wait() {
                Ok(Some(status)) => return manner(status),
                // Somebody else has collected the status.
                Err(_) => return "it is gone".to_owned(),
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) => break,
            }
            std::thread::sleep(EXIT_POLL);
        }
        say(format_args!(
            "device process {} does not end and is killed",
            self.pid
        ));
        let mut child = self.child();
        // Whoever has ended by now need not be killed.
        let _ = child.kill();
        let _ = child.wait();
        "it had to be killed".to_owned()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// The right to send frames.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    socket: &'a UnixStream,
    _held: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Sends one frame. A process that does not take it is given up: its socket is closed.
    pub(crate) fn send(&self, frame: &HostFrame) -> Result<(), WireError> {
        let sent = frame.send(&mut NoSignal(self.socket));
        if sent.is_err() {
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        sent
    }
}

/// Writes without raising `SIGPIPE`, which would end a host program that does not ignore it.
struct NoSignal<'a>(&'a UnixStream);

impl Write for NoSignal<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a process ended, for people.
fn manner(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "neither exit code nor signal".to_owned(),
    }
}

fn spawn(executable: &Path, memory: BorrowedFd<'_>) -> io::Result<(UnixStream, Child)> {
    let (host_end, device_end) = UnixStream::pair()?;
    // Out of the way of the two numbers the process expects, so that neither overwrites the other.
    let device_end = fcntl_dupfd_cloexec(device_end.as_fd(), 10)?;
    let memory = fcntl_dupfd_cloexec(memory, 10)?;
    let mut command = Command::new(executable);
    command.stdin(Stdio::null());
    // The host's standard output is for the host's data.
    command.stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
    let inherit = move || {
        inherit_as(SOCKET_FD, &device_end)?;
        inherit_as(MEMORY_FD, &memory)
    };
    // SAFETY: between fork and exec the closure makes two system calls and touches nothing else: no
    // allocation, no lock.
    unsafe { command.pre_exec(inherit) };
    Ok((host_end, command.spawn()?))
}

/// Makes `file` descriptor `number` of the process that is about to start.
fn inherit_as(number: RawFd, file: &OwnedFd) -> io::Result<()> {
    // SAFETY: the number is owned by nobody in the child, which is about to be replaced; it is only
    // the target of `dup2` and is not closed, thanks to `ManuallyDrop`.
    let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    Ok(dup2(file, &mut target)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use lanescope_abi::Chip;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// Far less than the shipping limits, and enough for a process to start.
    const SHORT: Limits = Limits {
        response: Duration::from_millis(300),
        exit: Duration::from_millis(300),
    };

    /// A folder whose device process is this script, which removes it again.
    struct Script(PathBuf);

    impl Script {
        fn new(name: &str, text: &str) -> Self {
            let dir = format!("lanescope-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(dir);
            std::fs::create_dir_all(&dir).unwrap();
            let executable = dir.join(EXECUTABLE);
            std::fs::write(&executable, format!("#!/bin/sh\n{text}\n")).unwrap();
            let everybody = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&executable, everybody).unwrap();
            Self(dir)
        }

        fn start(&self) -> Result<Process, Refusal> {
            let memory = Memory::new(0, 1 << 20).unwrap();
            let hello = HostFrame::Hello {
                chip: Chip::A5,
                memory_bytes: memory.file_bytes(),
                driver_id: 0,
                settings: Vec::new(),
            };
            Process::start_within(SHORT, &self.0, memory.file(), &hello)
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_device_process_that_never_answers_is_given_up_and_killed() {
        let script = Script::new("silent", "exec sleep 1000");
        let begin = Instant::now();
        let refusal = script.start().unwrap_err();
        assert!(begin.elapsed() >= SHORT.response + SHORT.exit);
        assert_eq!(refusal.code, DEVICE_SETUP);
        assert!(refusal.text.contains("no answer"), "{refusal}");
        assert!(refusal.text.contains("it had to be killed"), "{refusal}");
    }

    #[test]
    fn a_device_process_that_takes_no_frame_is_given_up() {
        let greet = format!("cat \"${{0%/*}}/ready\" >&{SOCKET_FD}\nexec sleep 1000");
        let script = Script::new("full", &greet);
        let mut ready = Vec::new();
        DeviceFrame::Ready.send(&mut ready).unwrap();
        std::fs::write(script.0.join("ready"), ready).unwrap();
        let process = script.start().unwrap();
        // More than a socket holds for a process that reads nothing.
        let frame = HostFrame::Hello {
            chip: Chip::A5,
            memory_bytes: 0,
            driver_id: 0,
            settings: vec![("a".repeat(8 << 20), String::new())],
        };
        let begin = Instant::now();
        let error = process.turn().send(&frame).unwrap_err();
        assert!(begin.elapsed() >= SHORT.response, "{error}");
        assert!(
            matches!(&error, WireError::Io(error) if error.kind() == io::ErrorKind::WouldBlock),
            "{error:?}"
        );
        // Nothing is written to it any more, and who reads sees that it is gone.
        assert!(process.turn().send(&frame).is_err());
        assert!(matches!(process.receive(), Ok(None)));
        assert_eq!(process.stop(), "it had to be killed");
    }
}
