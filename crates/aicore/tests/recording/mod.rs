//! A device that notes every call, in Rust and behind a table for C++.
//!
//! # Safety
//!
//! For the functions of the table: the recorder checks every address; pointers are valid for the call.

use lanescope_abi::chip::ChipInfo;
use lanescope_abi::token::DISPATCH_EXIT;
use lanescope_abi::{Awaited, Barrier, Checksum, Chip, Device, DeviceTable};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use zerocopy::FromBytes;

/// Device address of the first byte of a recording's memory.
pub const BASE: u64 = 0x1000_0000_0000;

/// One call of the device interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Load32(u64),
    Load64(u64),
    Store32(u64, u32),
    Store64(u64, u64),
    Clean(u64),
    Invalidate(u64),
    Barrier(u32),
    ReadReg(u64),
    WriteReg(u64, u32),
    Ticks,
    Kernel(u64, u64),
    Relax,
}

/// Every call that was made, and the memory after it.
#[derive(Debug)]
pub struct Recording {
    pub calls: Vec<Call>,
    pub bytes: Vec<u8>,
}

impl Recording {
    /// What `step` does to an empty memory through the Rust interface.
    pub fn new(step: impl FnOnce(&Recorder, u64)) -> Self {
        let recorder = Recorder::new(vec![0; 4096], &[], 0);
        step(&recorder, BASE);
        recorder.finish()
    }

    /// The value at `offset`.
    pub fn read<T: FromBytes>(&self, offset: u64) -> T {
        let offset = usize::try_from(offset).expect("inside");
        T::read_from_bytes(&self.bytes[offset..offset + size_of::<T>()]).expect("as many bytes")
    }

    /// Where the one call is that `is_wanted` names.
    pub fn position(&self, is_wanted: impl Fn(&Call) -> bool) -> usize {
        let mut positions = (0..self.calls.len()).filter(|at| is_wanted(&self.calls[*at]));
        let first = positions.next().expect("the call was made");
        assert_eq!(positions.next(), None, "the call was made once");
        first
    }
}

/// The device behind a recording. A read of DATA_MAIN_BASE gives the next value of its script, then
/// EXIT.
#[derive(Debug)]
pub struct Recorder {
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    recording: Recording,
    script: Vec<u32>,
    /// Where DATA_MAIN_BASE is.
    data_main_base: u64,
    ticks: u64,
}

/// What a register holds that nobody has written: another value for each, and an even one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "registers have small addresses"
)]
pub fn register(address: u64) -> u32 {
    (address as u32).wrapping_mul(0x10) + 0x50
}

impl Recorder {
    fn new(bytes: Vec<u8>, script: &[u32], data_main_base: u64) -> Self {
        let recording = Recording {
            calls: Vec::new(),
            bytes,
        };
        Self {
            inner: RefCell::new(Inner {
                recording,
                script: script.iter().rev().copied().collect(),
                data_main_base,
                ticks: 0,
            }),
        }
    }

    fn finish(self) -> Recording {
        self.inner.into_inner().recording
    }

    fn note(&self, call: Call) {
        self.inner.borrow_mut().recording.calls.push(call);
    }

    fn access<const N: usize>(&self, address: u64, bytes: Option<[u8; N]>) -> [u8; N] {
        let memory = &mut self.inner.borrow_mut().recording.bytes;
        let at = usize::try_from(address - BASE).expect("inside");
        let place = &mut memory[at..at + N];
        if let Some(bytes) = bytes {
            place.copy_from_slice(&bytes);
        }
        (&*place).try_into().expect("as many bytes")
    }
}

impl Device for Recorder {
    unsafe fn load32(&self, address: u64) -> u32 {
        self.note(Call::Load32(address));
        u32::from_le_bytes(self.access(address, None))
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        self.note(Call::Load64(address));
        u64::from_le_bytes(self.access(address, None))
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        self.note(Call::Store32(address, value));
        self.access(address, Some(value.to_le_bytes()));
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        self.note(Call::Store64(address, value));
        self.access(address, Some(value.to_le_bytes()));
    }

    fn clean(&self, address: u64) {
        self.note(Call::Clean(address));
    }

    fn invalidate(&self, address: u64) {
        self.note(Call::Invalidate(address));
    }

    fn barrier(&self, barrier: Barrier) {
        self.note(Call::Barrier(barrier as u32));
    }

    unsafe fn read_reg(&self, address: u64) -> u32 {
        self.note(Call::ReadReg(address));
        let mut inner = self.inner.borrow_mut();
        if address == inner.data_main_base {
            return inner.script.pop().unwrap_or(DISPATCH_EXIT);
        }
        let written = |call: &Call| match *call {
            Call::WriteReg(place, value) if place == address => Some(value),
            _ => None,
        };
        let last = inner.recording.calls.iter().rev().find_map(written);
        last.unwrap_or(register(address))
    }

    unsafe fn write_reg(&self, address: u64, value: u32) {
        self.note(Call::WriteReg(address, value));
    }

    fn ticks(&self) -> u64 {
        self.note(Call::Ticks);
        let mut inner = self.inner.borrow_mut();
        inner.ticks += 10;
        inner.ticks
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        self.note(Call::Relax);
        assert!(!awaited.name().is_empty());
        let has_words = awaited.words().iter().all(|word| word.address >= BASE);
        assert!(has_words && awaited.registers().len() + awaited.words().len() > 0);
    }
}

thread_local! {
    /// The device of the program that this thread runs.
    static CURRENT: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// A C++ source built for the simulator and loaded.
#[derive(Debug)]
pub struct Program {
    library: libloading::Library,
}

impl Program {
    /// Compiles `source` of this package for one chip and ring size.
    pub fn build(source: &str, chip: Chip, ring_size: u32) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let object = object(source, chip, ring_size);
        let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
        let flags = "-std=c++17 -O2 -shared -fPIC -fno-exceptions -fno-rtti -fvisibility=hidden \
                     -Wall -Wextra -Werror";
        let status = Command::new(compiler)
            .args(flags.split_ascii_whitespace())
            .arg(format!("-DLANESCOPE_CHIP={}", chip as u32))
            .arg(format!("-DLANESCOPE_RING_SIZE={ring_size}"))
            .args(cfg!(lanescope_mutants).then_some("-DLANESCOPE_MUTANTS"))
            .arg(format!("-I{}", package.join("cpp").display()))
            .arg(format!("-I{}", package.join("../abi/include").display()))
            .arg(package.join(source))
            .arg("-o")
            .arg(&object)
            .status()
            .expect("a C++ compiler can be started");
        assert!(status.success(), "{source} does not compile");
        // SAFETY: the object was just built and has no constructors.
        let library = unsafe { libloading::Library::new(&object) }.expect("it loads");
        std::fs::remove_file(&object).expect("it is where it was built");
        let program = Self { library };
        type Bind = unsafe extern "C" fn(*const DeviceTable) -> i32;
        // SAFETY: the entry has this type.
        let bind = unsafe { program.entry::<Bind>("lanescope_bind") };
        let mut short = TABLE;
        short.table_bytes -= 8;
        // SAFETY: the table is valid for the call, which refuses it.
        assert_eq!(unsafe { bind(&raw const short) }, 22);
        // SAFETY: the table is a static.
        assert_eq!(unsafe { bind(&raw const TABLE) }, 0);
        program
    }

    /// An entry of the program.
    ///
    /// # Safety
    ///
    /// - It has type `T`, a function pointer.
    pub unsafe fn entry<T: Copy>(&self, name: &str) -> T {
        // SAFETY: the caller says that the entry has type `T`.
        *unsafe { self.library.get::<T>(name.as_bytes()) }.expect("the entry is exported")
    }

    /// Runs the executor as core 0, a cube core, on `memory`.
    pub fn run(&self, memory: Vec<u8>, chip: &ChipInfo, script: &[u32]) -> Recording {
        let data_main_base = u64::from(chip.registers.data_main_base);
        let recorder = Recorder::new(memory, script, data_main_base);
        let recording = self.with(recorder, || {
            // SAFETY: the entry has this type.
            let entry = unsafe { self.entry::<extern "C" fn(u64)>("aicore_kernel_0_mix_aic") };
            entry(BASE);
        });
        let pmu = &chip.registers.pmu;
        let mut known = vec![chip.registers.data_main_base, pmu.gate];
        if pmu.is_read_by_core {
            known.extend(pmu.counters.iter().chain(&pmu.total));
        }
        for call in &recording.calls {
            if let Call::ReadReg(address) = call {
                let is_known = known.iter().any(|known| u64::from(*known) == *address);
                assert!(is_known, "a core reads no register at {address:#x}");
            }
        }
        recording
    }

    /// What `step` does to an empty memory through the table.
    pub fn record(&self, step: impl FnOnce(u64)) -> Recording {
        self.with(Recorder::new(vec![0; 4096], &[], 0), || step(BASE))
    }

    fn with(&self, recorder: Recorder, step: impl FnOnce()) -> Recording {
        CURRENT.set(Some(recorder));
        step();
        CURRENT.take().expect("it was set").finish()
    }
}

fn object(source: &str, chip: Chip, ring_size: u32) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let stem = source.replace(['/', '.'], "-");
    let name = format!(
        "{stem}-{}-{ring_size}-{}-{number}.so",
        chip.name(),
        std::process::id()
    );
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

const TABLE_BYTES: u64 = size_of::<DeviceTable>() as u64;

static TABLE: DeviceTable = DeviceTable {
    table_bytes: TABLE_BYTES,
    load32,
    load64,
    store32,
    store64,
    clean,
    invalidate,
    barrier,
    read_reg,
    write_reg,
    copy,
    ticks,
    call,
    relax,
    core_index,
    physical_core,
    store_program,
    copy_summed,
};

fn with<T>(step: impl FnOnce(&Recorder) -> T) -> T {
    CURRENT.with_borrow(|current| step(current.as_ref().expect("a program runs")))
}

unsafe extern "C" fn load32(address: u64) -> u32 {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.load32(address) })
}

unsafe extern "C" fn load64(address: u64) -> u64 {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.load64(address) })
}

unsafe extern "C" fn store32(address: u64, value: u32) {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.store32(address, value) });
}

unsafe extern "C" fn store64(address: u64, value: u64) {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.store64(address, value) });
}

extern "C" fn clean(address: u64) {
    with(|recorder| recorder.clean(address));
}

extern "C" fn invalidate(address: u64) {
    with(|recorder| recorder.invalidate(address));
}

extern "C" fn barrier(barrier: u32) {
    with(|recorder| recorder.note(Call::Barrier(barrier)));
}

unsafe extern "C" fn read_reg(address: u64) -> u32 {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.read_reg(address) })
}

unsafe extern "C" fn copy(_: u64, _: u64, _: u64) {
    unreachable!("a core copies by its pipes");
}

unsafe extern "C" fn copy_summed(_: u64, _: u64, _: u64, _: *mut Checksum) {
    unreachable!("a core copies by its pipes");
}

unsafe extern "C" fn write_reg(address: u64, value: u32) {
    // SAFETY: the recorder checks every address.
    with(|recorder| unsafe { recorder.write_reg(address, value) });
}

extern "C" fn ticks() -> u64 {
    with(Recorder::ticks)
}

unsafe extern "C" fn call(kernel: u64, args: u64) {
    with(|recorder| recorder.note(Call::Kernel(kernel, args)));
}

unsafe extern "C" fn relax(awaited: *const Awaited<'_>) {
    // SAFETY: the program gives a pointer that is valid for the call.
    let awaited = unsafe { awaited.as_ref() }.expect("relax says what is awaited");
    with(|recorder| recorder.relax(awaited));
}

extern "C" fn core_index() -> u32 {
    0
}

extern "C" fn physical_core() -> u32 {
    7
}

unsafe extern "C" fn store_program(_: *const u8, _: u64, _: *const u8, _: u64) -> i32 {
    panic!("only the dispatcher stores programs");
}
