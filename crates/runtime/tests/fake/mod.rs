//! A device of heap memory whose programs are closures, and a build folder for it.

#![allow(dead_code, reason = "each test uses a part of it")]

use lanescope_abi::control::{ControlHeader, CoreOrder, Phase, ThreadStatus};
use lanescope_abi::launch::{ProgramDescriptor, ProgramKind};
use lanescope_abi::{ABI_HASH, ABI_VERSION, Chip, Section};
use lanescope_platform::{
    Attachment, Capability, Device, DeviceAddress, DeviceInfo, DeviceMemory, Launch, LaunchForm,
    Mapping, PlatformError, Programs, Range, Result, StreamKind,
};
use lanescope_runtime::Build;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// What the device adds to a host address, so that nobody can mix the two up.
const DEVICE_BASE: u64 = 0x1000_0000_0000_0000;

/// The wait of a session that only looks; its run is not watched any more.
const A_MOMENT: Duration = Duration::from_millis(1);

/// No session takes so long to look at a run.
const HANG: Duration = Duration::from_secs(120);

/// The looks of the thread that watches a run.
#[derive(Debug, Default)]
pub struct Looks {
    count: Mutex<u64>,
    grown: Condvar,
}

impl Looks {
    /// Counts one.
    pub fn add(&self) {
        *self.count.lock().expect("no panic") += 1;
        self.grown.notify_all();
    }

    /// Waits for another one.
    pub fn wait_for_another(&self) {
        let count = self.count.lock().expect("no panic");
        let before = *count;
        let waited = self
            .grown
            .wait_timeout_while(count, HANG, |count| *count == before);
        let (count, _) = waited.expect("no panic");
        assert!(*count != before, "nobody watches the run");
    }
}

/// What the device programs do, from launch to end.
pub type Script = Box<dyn Fn(&Memory, &Launch) -> Result<()> + Send + Sync>;

pub struct FakeDevice {
    info: DeviceInfo,
    memory: Memory,
    pub allocations: AtomicUsize,
    script: Mutex<Script>,
    /// What the AICPU stream returns, last first; then success.
    pub synchronize: Mutex<Vec<PlatformError>>,
    is_overdue: AtomicBool,
    /// Happens on the device while the host waits for what `synchronize` returns, but for a moment.
    pub meanwhile: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    pub refuse_launch: Mutex<Option<PlatformError>>,
    /// What the next thread that attaches gets.
    pub refuse_thread: Mutex<Option<PlatformError>>,
    /// No view of its memory can be brought up to date.
    pub refuse_reads: Arc<AtomicBool>,
    /// Entries of the table of counter pages that it gives.
    pub counter_pages: AtomicU64,
    /// How often it was asked for that table.
    pub counter_pages_asked: AtomicU32,
}

impl std::fmt::Debug for FakeDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeDevice")
    }
}

impl FakeDevice {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            info: DeviceInfo {
                chip: Chip::A2a3,
                logical_id: 0,
                driver_id: 0,
                clusters: 24,
                aicpu_threads: 4,
                launch_form: LaunchForm::Classic,
                driver: PathBuf::from("/fake"),
            },
            memory: Memory,
            allocations: AtomicUsize::new(0),
            script: Mutex::new(Box::new(|_, _| Ok(()))),
            synchronize: Mutex::default(),
            is_overdue: AtomicBool::new(false),
            meanwhile: Mutex::default(),
            refuse_launch: Mutex::default(),
            refuse_thread: Mutex::default(),
            refuse_reads: Arc::default(),
            counter_pages: AtomicU64::new(75),
            counter_pages_asked: AtomicU32::new(0),
        })
    }

    pub fn set_script(
        &self,
        script: impl Fn(&Memory, &Launch) -> Result<()> + Send + Sync + 'static,
    ) {
        *self.script.lock().expect("no test panics with it held") = Box::new(script);
    }
}

/// Device memory as the device sees it.
#[derive(Debug)]
pub struct Memory;

impl Memory {
    pub fn read<T: FromBytes + FromZeros>(&self, address: u64) -> T {
        let host = host_address(address).cast_const();
        // SAFETY: tests read inside live allocations of this device.
        let bytes = unsafe { std::slice::from_raw_parts(host, size_of::<T>()) };
        T::read_from_bytes(bytes).expect("the length is that of the type")
    }

    pub fn write<T: IntoBytes + zerocopy::Immutable>(&self, address: u64, value: &T) {
        let host = host_address(address);
        let bytes = value.as_bytes();
        // SAFETY: tests write inside live allocations of this device.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), host, bytes.len()) };
    }

    pub fn header(&self, launch: &Launch) -> ControlHeader {
        self.read(launch.control.0)
    }

    /// Says that every core ran `per_core` tasks and every thread is done.
    pub fn finish(&self, launch: &Launch, per_core: u64) {
        let header = self.header(launch);
        let at = |section: Section, index| launch.control.0 + section.at(index);
        for core in 0..header.core_count {
            let order = CoreOrder {
                ready_run: header.run_id,
                dispatched: per_core,
                completed: per_core,
                ..CoreOrder::default()
            };
            self.write(at(header.orders, core), &order);
        }
        for thread in 0..header.thread_count {
            let status = ThreadStatus {
                run_id: header.run_id,
                phase: Phase::Done as u32,
                begin_ticks: 100,
                ticks: 600 + u64::from(thread),
                ..ThreadStatus::default()
            };
            self.write(at(header.threads, thread), &status);
        }
    }
}

/// What a driver says that can say no more.
pub fn refusal(call: &'static str) -> PlatformError {
    PlatformError::Driver {
        call,
        code: 507_899,
        name: "DRV_INTERNAL",
        hint: "",
        detail: String::new(),
    }
}

fn host_address(device: u64) -> *mut u8 {
    let host = usize::try_from(device - DEVICE_BASE).expect("it was made from a host address");
    std::ptr::with_exposed_provenance_mut(host)
}

#[repr(align(4096))]
struct Page([u8; 4096]);

struct HeapMemory {
    pages: Mutex<Box<[Page]>>,
    bytes: u64,
    address: u64,
}

impl std::fmt::Debug for HeapMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeapMemory")
    }
}

impl DeviceMemory for HeapMemory {
    fn address(&self) -> DeviceAddress {
        DeviceAddress(self.address)
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[derive(Debug)]
struct HeapMapping {
    memory: Arc<dyn DeviceMemory>,
    bytes: u64,
    refuse_reads: Arc<AtomicBool>,
}

impl Mapping for HeapMapping {
    fn is_coherent(&self) -> bool {
        true
    }

    fn device_address(&self) -> DeviceAddress {
        self.memory.address()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pointer(&self) -> *mut u8 {
        host_address(self.memory.address().0)
    }

    fn invalidate(&self, range: Range) -> Result<()> {
        assert!(range.end <= self.bytes);
        match self.refuse_reads.load(Ordering::Relaxed) {
            true => Err(refusal("rtMemcpy")),
            false => Ok(()),
        }
    }

    fn flush(&self, range: Range) -> Result<()> {
        assert!(range.end <= self.bytes);
        Ok(())
    }

    fn copied_bytes(&self) -> u64 {
        0
    }
}

impl Device for FakeDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn has(&self, capability: Capability) -> bool {
        capability == Capability::CoherentMapping
    }

    fn attach_thread(&self) -> Result<Attachment> {
        let refusal = self.refuse_thread.lock().expect("no panic").take();
        refusal.map_or_else(|| Ok(Attachment::new(|| ())), Err)
    }

    fn allocate(&self, bytes: u64) -> Result<Arc<dyn DeviceMemory>> {
        assert_ne!(bytes, 0);
        self.allocations.fetch_add(1, Ordering::Relaxed);
        let count = usize::try_from(bytes.div_ceil(4096)).expect("small");
        // Not zero: nobody may rely on fresh memory.
        let mut pages: Box<[Page]> = (0..count).map(|_| Page([0xA5; 4096])).collect();
        let address = DEVICE_BASE + pages[0].0.as_mut_ptr().expose_provenance() as u64;
        Ok(Arc::new(HeapMemory {
            pages: Mutex::new(pages),
            bytes,
            address,
        }))
    }

    fn copy_to_device(&self, to: DeviceAddress, from: &[u8]) -> Result<()> {
        let to = host_address(to.0);
        // SAFETY: the session copies into its live allocations.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        Ok(())
    }

    fn copy_to_host(&self, to: &mut [u8], from: DeviceAddress) -> Result<()> {
        let from = host_address(from.0).cast_const();
        // SAFETY: the session copies from its live allocations.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    fn map(&self, memory: &Arc<dyn DeviceMemory>, bytes: u64) -> Result<Box<dyn Mapping>> {
        assert!(bytes <= memory.bytes());
        Ok(Box::new(HeapMapping {
            memory: Arc::clone(memory),
            bytes,
            refuse_reads: Arc::clone(&self.refuse_reads),
        }))
    }

    fn register_table(&self) -> Result<Vec<u64>> {
        Ok((0..75)
            .map(|core| 0x2000_0000_0000 + core * 0x10_0000)
            .collect())
    }

    fn pmu_register_table(&self) -> Result<Vec<u64>> {
        self.counter_pages_asked.fetch_add(1, Ordering::Relaxed);
        let pages = self.counter_pages.load(Ordering::Relaxed);
        Ok((0..pages)
            .map(|core| 0x2000_4000_0000 + core * 0x10_0000)
            .collect())
    }

    fn kernel_bytes<'a>(&self, image: &'a [u8]) -> Result<&'a [u8]> {
        if image.starts_with(b"kernel") {
            return Ok(image);
        }
        Err(PlatformError::BadProgram {
            what: "kernel".to_owned(),
            reason: "it does not begin with `kernel`".to_owned(),
        })
    }

    fn load_programs(&self, _: &Programs) -> Result<()> {
        Ok(())
    }

    fn launch(&self, launch: &Launch, abort: &dyn Fn()) -> Result<()> {
        if let Some(error) = self
            .refuse_launch
            .lock()
            .expect("no test panics with it held")
            .take()
        {
            abort();
            (self.script.lock().expect("no test panics with it held"))(&self.memory, launch)?;
            return Err(error);
        }
        (self.script.lock().expect("no test panics with it held"))(&self.memory, launch)
    }

    fn synchronize(&self, stream: StreamKind, limit: Duration) -> Result<()> {
        if stream == StreamKind::Aicore {
            return Ok(());
        }
        let error = self
            .synchronize
            .lock()
            .expect("no test panics with it held")
            .pop();
        self.is_overdue.store(error.is_some(), Ordering::Relaxed);
        match error {
            None => Ok(()),
            Some(error) => {
                let meanwhile = self.meanwhile.lock().expect("no test panics with it held");
                if let Some(meanwhile) = &*meanwhile
                    && limit > A_MOMENT
                {
                    meanwhile();
                }
                Err(error)
            }
        }
    }

    fn is_overdue(&self) -> bool {
        self.is_overdue.load(Ordering::Relaxed)
    }

    fn is_poisoned(&self) -> bool {
        false
    }
}

impl Drop for HeapMemory {
    fn drop(&mut self) {
        // What is used after it was freed shows.
        let pages = self.pages.get_mut().unwrap_or_else(PoisonError::into_inner);
        for page in pages {
            page.0.fill(0xDD);
        }
    }
}

/// A build folder of programs that hold nothing but their descriptors; removed when dropped.
pub struct FakeBuild {
    folder: PathBuf,
    pub build: Build,
}

impl FakeBuild {
    /// The manifest says `ring_size`, the programs were built with `program_ring_size`.
    pub fn new(ring_size: u32, program_ring_size: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("lanescope-runtime-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("device")).expect("creates");
        for (file, kind) in [
            ("aicpu.so", ProgramKind::Aicpu),
            ("aicore.so", ProgramKind::Aicore),
        ] {
            let descriptor = ProgramDescriptor::new(kind, Some(Chip::A2a3), program_ring_size);
            let image = elf_with_section(".lanescope", descriptor.as_bytes());
            std::fs::write(folder.join("device").join(file), image).expect("writes");
        }
        let manifest = format!(
            r#"{{"platform":"a2a3","chip":"a2a3","ring_size":{ring_size},
                "abi_hash":"{ABI_HASH:#018x}","abi_version":{ABI_VERSION},"profile":"test",
                "toolchains":{{"rustc":"none","cxx":null}},
                "device":{{"aicpu":"device/aicpu.so","dispatcher":null,"aicore":"device/aicore.so"}},
                "kernels":{{"add":"kernels/add.so"}},"skipped":[]}}"#
        );
        std::fs::write(folder.join("manifest.json"), manifest).expect("writes");
        let build = Build::open(&folder).expect("opens");
        Self { folder, build }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for FakeBuild {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The smallest ELF file with one named section.
fn elf_with_section(name: &str, content: &[u8]) -> Vec<u8> {
    let names = format!("\0{name}\0.shstrtab\0");
    let content_at = 64u64;
    let names_at = content_at + content.len() as u64;
    let headers_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut file = Vec::new();
    file.extend([0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 3); // shared object
    half(&mut file, 62); // x86-64
    word(&mut file, 1);
    long(&mut file, 0);
    long(&mut file, 0);
    long(&mut file, headers_at);
    word(&mut file, 0);
    for value in [64, 0, 0, 64, 3, 2] {
        half(&mut file, value);
    }
    file.extend(content);
    file.extend(names.as_bytes());
    file.resize(usize::try_from(headers_at).expect("small"), 0);
    let name_of_names = u32::try_from(name.len()).expect("short") + 2;
    let sections = [
        (0, 0, 0, 0),
        (1, 1, content_at, content.len() as u64),
        (name_of_names, 3, names_at, names.len() as u64),
    ];
    for (name, kind, offset, bytes) in sections {
        word(&mut file, name);
        word(&mut file, kind);
        for value in [0, 0, offset, bytes, 0, 1, 0] {
            long(&mut file, value);
        }
    }
    file
}
