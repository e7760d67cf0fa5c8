//! The executable itself, driven over its socket as the driver drives it, with programs and kernels
//! compiled here.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use lanescope_abi::launch::{AicpuArgs, DeviceArgs};
use lanescope_abi::{Chip, CoreType};
use lanescope_sim_wire::{
    DEVICE_MEMORY_ADDRESS, DeviceFrame, Frame, HostFrame, cluster_cube_core, register_window,
};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const MEMORY_BYTES: u64 = 64 << 20;
const CONTROL: u64 = DEVICE_MEMORY_ADDRESS + 0x1000;
const DELIVERY: u64 = DEVICE_MEMORY_ADDRESS + 0x2000;
const KERNEL: u64 = DEVICE_MEMORY_ADDRESS + 0x1_0000;
const ARGS: u64 = DEVICE_MEMORY_ADDRESS + 0x3000;
const COUNTER: u64 = DEVICE_MEMORY_ADDRESS + 0x4000;
const PROGRAM: u64 = DEVICE_MEMORY_ADDRESS + 0x10_0000;

/// Compiles a source of `tests/programs` once for each set of flags.
fn compile(source: &str, flag: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{source}{flag}-{:?}.so",
        std::thread::current().id()
    ));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let status = Command::new(compiler)
        .args(["-std=c++17", "-O1", "-fPIC", "-shared", "-o"])
        .arg(&output)
        .arg("-I")
        .arg(root.join("../../../crates/abi/include"))
        .arg(format!(
            "-DSTEP={}",
            if flag.is_empty() { "1" } else { flag }
        ))
        .arg(root.join("tests/programs").join(source))
        .status()
        .unwrap();
    assert!(status.success(), "compiling {source}");
    std::fs::read(output).unwrap()
}

struct Host {
    child: Child,
    socket: UnixStream,
    memory: File,
    tasks: u64,
}

impl Host {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let file = rustix::fs::memfd_create("memory", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let memory = File::from(file);
        memory.set_len(MEMORY_BYTES).unwrap();
        // The shell moves the two files to where the process looks for them.
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" 3<&0 4<&1 </dev/null >/dev/null"])
            .arg(env!("CARGO_BIN_EXE_lanescope-sim-device"))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(memory.try_clone().unwrap()))
            .spawn()
            .unwrap();
        let settings = settings.iter();
        let greeting = HostFrame::Hello {
            chip: Chip::A5,
            memory_bytes: MEMORY_BYTES,
            driver_id: 0,
            settings: settings
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        };
        let mut host = Self {
            child,
            socket,
            memory,
            tasks: 0,
        };
        host.send(&greeting);
        assert_eq!(host.receive(), Some(DeviceFrame::Ready));
        host
    }

    fn send(&mut self, frame: &HostFrame) {
        frame.send(&mut self.socket).unwrap();
    }

    fn receive(&mut self) -> Option<DeviceFrame> {
        DeviceFrame::receive(&mut self.socket).unwrap()
    }

    fn put(&self, address: u64, bytes: &[u8]) {
        self.memory
            .write_all_at(bytes, address - DEVICE_MEMORY_ADDRESS)
            .unwrap();
    }

    fn word(&self, address: u64) -> u64 {
        let mut word = [0; 8];
        self.memory
            .read_exact_at(&mut word, address - DEVICE_MEMORY_ADDRESS)
            .unwrap();
        u64::from_le_bytes(word)
    }

    /// Control region: what to do, the window of the first core, the kernel and its arguments.
    fn put_control(&self, act: u64) {
        let cube = cluster_cube_core(Chip::A5, 0).unwrap();
        let window = register_window(Chip::A5, cube, CoreType::Aic, 0).unwrap();
        self.put(CONTROL, [act, window, 0, 0, 0, KERNEL, ARGS].as_bytes());
        self.put(ARGS, [COUNTER, 5000].as_bytes());
    }

    fn args() -> Vec<u8> {
        let args = AicpuArgs {
            device_args: DELIVERY,
            control_address: CONTROL,
            ..AicpuArgs::default()
        };
        args.as_bytes().to_vec()
    }

    fn launch_aicpu(&mut self, kernel_name: &str, blocks: u32) -> u64 {
        self.tasks += 1;
        self.send(&HostFrame::LaunchAicpu {
            stream: 1,
            task: self.tasks,
            so_name: "libaicpu_extend_kernels.so".to_owned(),
            kernel_name: kernel_name.to_owned(),
            blocks,
            args: Self::args(),
        });
        self.tasks
    }

    fn deliver(&mut self, inner: &[u8]) {
        let program = compile("aicpu.cpp", "");
        self.put(PROGRAM, &program);
        let inner_address = PROGRAM + 0x20_0000;
        self.put(inner_address, inner);
        let args = DeviceArgs {
            program_address: PROGRAM,
            program_bytes: program.len() as u64,
            inner_address,
            inner_bytes: inner.len() as u64,
            ..DeviceArgs::default()
        };
        self.put(DELIVERY, args.as_bytes());
        let task = self.launch_aicpu("DynTileFwkKernelServerInit", 1);
        self.expect_done(1, task, 0);
    }

    fn launch_aicore(&mut self, blocks: u32) -> u64 {
        self.tasks += 1;
        self.send(&HostFrame::LaunchAicore {
            stream: 2,
            task: self.tasks,
            handle: 77,
            tiling_key: 0,
            blocks,
            args: CONTROL.to_le_bytes().to_vec(),
        });
        self.tasks
    }

    fn expect_done(&mut self, stream: u32, task: u64, code: i32) {
        assert_eq!(
            self.receive(),
            Some(DeviceFrame::Done { stream, task, code })
        );
    }

    fn expect_failure(&mut self, stream: u32, task: u64, code: i32, text: &str) {
        let Some(DeviceFrame::Note { text: note }) = self.receive() else {
            panic!("no note for {text:?}");
        };
        assert!(note.contains(text), "{note:?} does not say {text:?}");
        self.expect_done(stream, task, code);
    }

    fn prepare(&mut self, step: &str) {
        self.put_control(1);
        self.put(KERNEL, &compile("kernel.cpp", step));
        self.deliver(&[]);
        assert_eq!(self.word(CONTROL + 32), 0xD0, "the first entry ran");
        let image = compile("aicore.cpp", "");
        self.send(&HostFrame::LoadAicore { handle: 77, image });
    }

    fn exit_code(mut self) -> Option<i32> {
        drop(self.socket);
        self.child.wait().unwrap().code()
    }
}

/// One run of two tokens; returns the ticks at which each had finished.
fn run(host: &mut Host) -> (u64, u64) {
    let aicore = host.launch_aicore(2);
    let aicpu = host.launch_aicpu("DynTileFwkKernelServer", 1);
    let mut ends = [host.receive(), host.receive()];
    ends.sort_by_key(|frame| matches!(frame, Some(DeviceFrame::Done { stream: 1, .. })));
    let done = |stream, task| {
        Some(DeviceFrame::Done {
            stream,
            task,
            code: 0,
        })
    };
    assert_eq!(ends, [done(2, aicore), done(1, aicpu)]);
    (host.word(CONTROL + 16), host.word(CONTROL + 24))
}

#[test]
fn a_program_drives_a_core_that_runs_a_kernel() {
    let mut host = Host::start(&[]);
    host.prepare("1");
    let (first, second) = run(&mut host);
    assert_eq!(host.word(COUNTER), 2);
    // A tick is a nanosecond; the kernel lasts 5000 of them.
    assert!(
        (5500..7000).contains(&(second - first)),
        "{}",
        second - first
    );
    // Another kernel at the same address is noticed.
    host.put(KERNEL, &compile("kernel.cpp", "100"));
    run(&mut host);
    assert_eq!(host.word(COUNTER), 202);
    assert_eq!(host.exit_code(), Some(0));
}

#[test]
fn the_timeline_does_not_depend_on_when_launches_arrive() {
    let times = |pause_ms| {
        let mut host = Host::start(&[("seed", "3")]);
        host.prepare("1");
        host.launch_aicore(2);
        std::thread::sleep(Duration::from_millis(pause_ms));
        host.launch_aicpu("DynTileFwkKernelServer", 1);
        host.receive();
        host.receive();
        (host.word(CONTROL + 16), host.word(CONTROL + 24))
    };
    assert_eq!(times(0), times(30));
}

#[test]
fn a_program_stored_by_a_dispatcher_runs_by_name() {
    let mut host = Host::start(&[]);
    host.put_control(2);
    let inner = compile("aicpu.cpp", "");
    host.deliver(&inner);
    let by_name = |file: &str| HostFrame::LaunchByName {
        stream: 1,
        task: 50,
        file: file.to_owned(),
        function: "lanescope_aicpu_run".to_owned(),
        blocks: 2,
        args: Host::args(),
    };
    host.send(&by_name("inner.so"));
    host.expect_failure(1, 50, 507_018, "returned 9");
    host.send(&by_name("other.so"));
    host.expect_failure(1, 50, 507_018, "no program has been stored as other.so");
}

#[test]
fn failures_name_their_cause_and_the_device_goes_on() {
    let mut host = Host::start(&[]);
    let task = host.launch_aicpu("DynTileFwkKernelServer", 1);
    host.expect_failure(1, task, 507_018, "before a program was delivered");
    host.prepare("1");
    host.put_control(3);
    let task = host.launch_aicpu("DynTileFwkKernelServer", 2);
    host.expect_failure(1, task, 507_018, "AICPU thread 0 loaded from 0x40");
    let task = host.launch_aicpu("SomethingElse", 1);
    host.expect_failure(1, task, 507_018, "SomethingElse");
    host.put_control(1);
    run(&mut host);
}

#[test]
fn a_kernel_that_never_ends_is_reported_by_its_scheduler_and_then_by_its_limit() {
    let mut host = Host::start(&[("hung-kernel", "0")]);
    host.prepare("1");
    let begin = Instant::now();
    let aicore = host.launch_aicore(1);
    let aicpu = host.launch_aicpu("DynTileFwkKernelServer", 1);
    host.expect_failure(1, aicpu, 507_018, "AICPU thread 0 returned 4");
    host.expect_failure(
        2,
        aicore,
        507_014,
        "AIC core 0 (physical core 0) waits for the end of",
    );
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "virtual limits cost no wall time"
    );
}

#[test]
fn a_dead_core_is_reported_by_its_scheduler() {
    let mut host = Host::start(&[("dead-core", "0")]);
    host.prepare("1");
    host.launch_aicore(1);
    let aicpu = host.launch_aicpu("DynTileFwkKernelServer", 1);
    host.expect_failure(1, aicpu, 507_018, "AICPU thread 0 returned 4");
}

#[test]
fn a_task_that_never_ends_meets_its_limit() {
    let mut host = Host::start(&[]);
    host.prepare("1");
    host.put_control(4);
    host.send(&HostFrame::OpLimit {
        limit_us: 2_000_000,
    });
    let task = host.launch_aicpu("DynTileFwkKernelServer", 1);
    host.expect_failure(1, task, 507_017, "longer than its limit");
}

#[test]
fn kill_at_ends_the_process_in_the_middle() {
    let mut host = Host::start(&[("kill-at", "9")]);
    host.prepare("1");
    host.launch_aicore(1);
    host.launch_aicpu("DynTileFwkKernelServer", 1);
    assert_eq!(DeviceFrame::receive(&mut host.socket).unwrap(), None);
    assert_eq!(host.exit_code(), Some(3));
}

#[test]
fn the_process_ends_when_the_host_is_gone_whatever_it_does() {
    let mut host = Host::start(&[]);
    host.prepare("1");
    host.put_control(4);
    host.send(&HostFrame::OpLimit { limit_us: 0 });
    host.launch_aicpu("DynTileFwkKernelServer", 1);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(host.exit_code(), Some(0));
}
