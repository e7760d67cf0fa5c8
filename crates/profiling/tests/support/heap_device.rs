//! A device whose memory is the heap; its mapping is either that memory or a copy of it.

use super::{DeviceMemoryView, step};
use lanescope_abi::{Chip, LaneHost};
use lanescope_platform::{
    Attachment, Capability, Device, DeviceAddress, DeviceInfo, DeviceMemory, Launch, LaunchForm,
    Mapping, PlatformError, Programs, Range, Result, StreamKind,
};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::mem::offset_of;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Page-aligned heap memory that several threads reach word by word.
#[derive(Debug)]
struct Heap {
    pointer: *mut u8,
    layout: Layout,
}

// SAFETY: the memory is reached through raw pointers only, by users that keep to the protocol.
unsafe impl Send for Heap {}
// SAFETY: no method gives out a reference to the bytes; users reach them through raw pointers.
unsafe impl Sync for Heap {}

impl Heap {
    fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap();
        let layout = Layout::from_size_align(bytes, 4096).unwrap();
        // SAFETY: the layout is not empty: nobody allocates 0 bytes.
        let pointer = unsafe { alloc_zeroed(layout) };
        assert!(!pointer.is_null());
        Self { pointer, layout }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, freed once.
        unsafe { dealloc(self.pointer, self.layout) };
    }
}

#[derive(Debug)]
struct HeapMemory {
    heap: Arc<Heap>,
}

impl DeviceMemory for HeapMemory {
    fn address(&self) -> DeviceAddress {
        DeviceAddress(self.heap.pointer.expose_provenance() as u64)
    }

    fn bytes(&self) -> u64 {
        self.heap.layout.size() as u64
    }
}

type Act = Box<dyn FnMut(&Range) + Send>;

/// What the device does whenever the host looks.
#[derive(Default)]
pub struct OnLook(Mutex<Option<Act>>);

impl std::fmt::Debug for OnLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnLook")
    }
}

impl OnLook {
    pub fn set(&self, act: impl FnMut(&Range) + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(act));
    }

    pub fn clear(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn act(&self, range: &Range) {
        if let Some(act) = &mut *self.0.lock().unwrap() {
            act(range);
        }
    }
}

/// What a device does on purpose, and what was done to it.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// Copies and threads are refused.
    pub is_dead: AtomicBool,
    /// What memory holds when it is allocated, instead of zeros.
    pub left_over: Mutex<Vec<u8>>,
    /// Copies that were made.
    pub copies: AtomicU64,
    /// The copy with this number, counted from 1 by `attempts`, is refused; 0 refuses none.
    pub refused_attempt: AtomicU64,
    /// Copies that were asked for.
    pub attempts: AtomicU64,
    /// Copies of anything in this range are refused.
    pub refused_range: Mutex<Option<Range>>,
    /// Threads that are attached.
    pub attached: AtomicU32,
    /// A lane's [`LaneHost`] and the lane's capacity, to be watched word by word.
    pub watched: OnceLock<(u64, u32)>,
    /// Called before each look at a range of the region, in the thread that looks.
    pub on_look: OnLook,
    /// Moments at which the watched lane gave the device a buffer whose ready entry it still held.
    pub early_returns: AtomicU64,
}

impl Behaviour {
    /// Refuses the copy that is asked for after `others` more.
    pub fn refuse_copy_after(&self, others: u64) {
        let next = self.attempts.load(Ordering::Relaxed) + 1;
        self.refused_attempt.store(next + others, Ordering::Relaxed);
    }

    /// Is a sound device again.
    pub fn revive(&self) {
        self.is_dead.store(false, Ordering::Relaxed);
        self.refused_attempt.store(0, Ordering::Relaxed);
        *self.refused_range.lock().unwrap() = None;
    }

    fn is_refused(&self, range: &Range) -> bool {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let refused = self.refused_range.lock().unwrap();
        self.is_dead.load(Ordering::Relaxed)
            || self.refused_attempt.load(Ordering::Relaxed) == attempt
            || refused
                .as_ref()
                .is_some_and(|refused| range.start < refused.end && refused.start < range.end)
    }

    /// Looks at the watched lane as the device could at this moment. Every buffer in the free queue
    /// beyond the first filling came back through the ready queue.
    fn watch(&self, heap: &Heap) {
        let Some(&(line, capacity)) = self.watched.get() else {
            return;
        };
        let word = |field: usize| {
            let offset = usize::try_from(line).unwrap() + field;
            // SAFETY: the line lies in the allocation and its words are aligned.
            let word = unsafe { AtomicU32::from_ptr(heap.pointer.wrapping_add(offset).cast()) };
            word.load(Ordering::Acquire)
        };
        let returned = word(offset_of!(LaneHost, free_tail)) - capacity;
        if returned > word(offset_of!(LaneHost, ready_head)) {
            self.early_returns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A device of ordinary memory.
#[derive(Debug)]
pub struct HeapDevice {
    info: DeviceInfo,
    is_coherent: bool,
    allocations: Mutex<Vec<Arc<HeapMemory>>>,
    pub behaviour: Arc<Behaviour>,
}

impl HeapDevice {
    pub fn new(is_coherent: bool) -> Self {
        Self {
            info: DeviceInfo {
                chip: Chip::A2a3,
                logical_id: 0,
                driver_id: 0,
                clusters: 24,
                aicpu_threads: 4,
                launch_form: LaunchForm::Classic,
                driver: PathBuf::new(),
            },
            is_coherent,
            allocations: Mutex::default(),
            behaviour: Arc::default(),
        }
    }

    /// The device's own view of the only allocation.
    pub fn memory(&self) -> DeviceMemoryView {
        let allocations = self.allocations.lock().unwrap();
        let heap = &allocations[0].heap;
        DeviceMemoryView::new(heap.pointer, heap.layout.size() as u64, heap.clone())
    }

    pub fn allocation_count(&self) -> usize {
        self.allocations.lock().unwrap().len()
    }
}

fn dead(call: &'static str) -> PlatformError {
    PlatformError::Driver {
        call,
        code: 507_899,
        name: "ACL_ERROR_RT_DRV_INTERNAL_ERROR",
        hint: "",
        detail: String::new(),
    }
}

fn unsupported(what: &'static str) -> PlatformError {
    PlatformError::Unsupported {
        what,
        reason: "the device is ordinary memory".to_owned(),
    }
}

impl Device for HeapDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn has(&self, capability: Capability) -> bool {
        capability == Capability::CoherentMapping && self.is_coherent
    }

    fn attach_thread(&self) -> Result<Attachment> {
        if self.behaviour.is_dead.load(Ordering::Relaxed) {
            return Err(dead("rtSetDevice"));
        }
        let behaviour = Arc::clone(&self.behaviour);
        behaviour.attached.fetch_add(1, Ordering::Relaxed);
        Ok(Attachment::new(move || {
            behaviour.attached.fetch_sub(1, Ordering::Relaxed);
        }))
    }

    fn allocate(&self, bytes: u64) -> Result<Arc<dyn DeviceMemory>> {
        let memory = Arc::new(HeapMemory {
            heap: Arc::new(Heap::new(bytes)),
        });
        let left_over = self.behaviour.left_over.lock().unwrap();
        let length = left_over.len().min(memory.heap.layout.size());
        // SAFETY: both are at least `length` bytes, and the allocation is new.
        unsafe {
            std::ptr::copy_nonoverlapping(left_over.as_ptr(), memory.heap.pointer, length);
        }
        drop(left_over);
        self.allocations.lock().unwrap().push(Arc::clone(&memory));
        Ok(memory)
    }

    fn copy_to_device(&self, _to: DeviceAddress, _from: &[u8]) -> Result<()> {
        Err(unsupported("copying"))
    }

    fn copy_to_host(&self, _to: &mut [u8], _from: DeviceAddress) -> Result<()> {
        Err(unsupported("copying"))
    }

    fn map(&self, memory: &Arc<dyn DeviceMemory>, bytes: u64) -> Result<Box<dyn Mapping>> {
        let allocations = self.allocations.lock().unwrap();
        let heap = allocations
            .iter()
            .find(|allocation| allocation.address() == memory.address())
            .map(|allocation| Arc::clone(&allocation.heap))
            .unwrap();
        Ok(Box::new(HeapMapping {
            view: if self.is_coherent {
                Arc::clone(&heap)
            } else {
                Arc::new(Heap::new(bytes))
            },
            heap,
            behaviour: Arc::clone(&self.behaviour),
            copied_bytes: AtomicU64::new(0),
        }))
    }

    fn register_table(&self) -> Result<Vec<u64>> {
        Err(unsupported("the register table"))
    }

    fn pmu_register_table(&self) -> Result<Vec<u64>> {
        Err(unsupported("the table of hardware counters"))
    }

    fn kernel_bytes<'a>(&self, _image: &'a [u8]) -> Result<&'a [u8]> {
        Err(unsupported("a kernel"))
    }

    fn load_programs(&self, _programs: &Programs) -> Result<()> {
        Err(unsupported("a program"))
    }

    fn launch(&self, _launch: &Launch, _abort: &dyn Fn()) -> Result<()> {
        Err(unsupported("a launch"))
    }

    fn synchronize(&self, _stream: StreamKind, _limit: Duration) -> Result<()> {
        Ok(())
    }

    fn is_overdue(&self) -> bool {
        false
    }

    fn is_poisoned(&self) -> bool {
        self.behaviour.is_dead.load(Ordering::Relaxed)
    }
}

/// The heap itself, or a shadow of it that copies exactly what it is asked for.
#[derive(Debug)]
pub struct HeapMapping {
    heap: Arc<Heap>,
    view: Arc<Heap>,
    behaviour: Arc<Behaviour>,
    copied_bytes: AtomicU64,
}

impl HeapMapping {
    fn copy(&self, from: &Heap, to: &Heap, range: &Range) -> Result<()> {
        step();
        if self.behaviour.is_refused(range) {
            return Err(dead("rtMemcpy"));
        }
        let bytes = range.end - range.start;
        assert!(range.end <= self.bytes());
        if self.is_coherent() {
            return Ok(());
        }
        self.behaviour.copies.fetch_add(1, Ordering::Relaxed);
        self.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
        let offset = usize::try_from(range.start).unwrap();
        // SAFETY: the range was checked against the view, which is as long as the heap.
        let from = unsafe { from.pointer.add(offset) };
        // SAFETY: the range was checked against the heap, which is as long as the view.
        let to = unsafe { to.pointer.add(offset) };
        if bytes > 4096 {
            let length = usize::try_from(bytes).unwrap();
            // SAFETY: both ranges were checked; heap and view are two allocations.
            unsafe { std::ptr::copy_nonoverlapping(from, to, length) };
            return Ok(());
        }
        // Words, last one first: a copy has no order that a reader could lean on.
        for word in (0..usize::try_from(bytes).unwrap() / 4).rev() {
            // SAFETY: the word lies in the checked range and is aligned: ranges begin at words.
            let from = unsafe { AtomicU32::from_ptr(from.cast::<u32>().wrapping_add(word)) };
            // SAFETY: the word lies in the checked range and is aligned: ranges begin at words.
            let to = unsafe { AtomicU32::from_ptr(to.cast::<u32>().wrapping_add(word)) };
            step();
            to.store(from.load(Ordering::Acquire), Ordering::Release);
            self.behaviour.watch(&self.heap);
        }
        Ok(())
    }
}

impl Mapping for HeapMapping {
    fn is_coherent(&self) -> bool {
        Arc::ptr_eq(&self.heap, &self.view)
    }

    fn device_address(&self) -> DeviceAddress {
        DeviceAddress(self.heap.pointer.expose_provenance() as u64)
    }

    fn bytes(&self) -> u64 {
        self.view.layout.size() as u64
    }

    fn pointer(&self) -> *mut u8 {
        self.view.pointer
    }

    fn invalidate(&self, range: Range) -> Result<()> {
        self.behaviour.on_look.act(&range);
        self.copy(&self.heap, &self.view, &range)
    }

    fn flush(&self, range: Range) -> Result<()> {
        self.copy(&self.view, &self.heap, &range)
    }

    fn copied_bytes(&self) -> u64 {
        self.copied_bytes.load(Ordering::Relaxed)
    }
}
