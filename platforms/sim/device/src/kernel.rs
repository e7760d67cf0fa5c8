//! Kernels: what `call` jumps to.
//!
//! The address a core is given is that of an ELF image in device memory. It is loaded once; what
//! is behind an address is compared with what was loaded at the first call after each launch, so
//! that other bytes at the same address are noticed.

use crate::agent::Agent;
use crate::engine::Engine;
use crate::error::DeviceProcessError;
use crate::image::{Images, elf_bytes};
use crate::memory::{Memory, pointer};
use lanescope_abi::launch::{KERNEL_COST_SYMBOL, KERNEL_SYMBOL, KernelCost};
use libloading::Library;

type KernelEntry = unsafe extern "C" fn(args: *const u64);
type KernelCostEntry = unsafe extern "C" fn(args: *const u64, cost: *mut KernelCost);

/// Kernels that have been called.
#[derive(Debug, Default)]
pub struct Kernels {
    kernels: Vec<Kernel>,
}

/// A kernel that has been loaded.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    address: u64,
    /// Compared with device memory since the last launch.
    checked: bool,
    library: &'static Library,
    entry: KernelEntry,
    cost: Option<KernelCostEntry>,
}

impl Kernels {
    /// A launch begins: what is at an address may have changed.
    pub fn begin_launch(&mut self) {
        for kernel in &mut self.kernels {
            kernel.checked = false;
        }
    }

    /// The kernel at an address, if it was compared with memory since the launch began.
    #[must_use]
    #[inline]
    pub fn find_checked(&self, address: u64) -> Option<Kernel> {
        self.find(address).filter(|kernel| kernel.checked)
    }

    /// Compares what memory holds at an address with what was loaded from there, and loads it when
    /// it is something else.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError`] when there is no image, or it cannot be loaded.
    #[cold]
    pub fn load(
        &mut self,
        memory: &Memory,
        images: &mut Images,
        address: u64,
    ) -> Result<Kernel, DeviceProcessError> {
        let length = elf_bytes(memory, "the image", address)?;
        let what = format!("the kernel at {address:#x}");
        let bytes = memory
            .copy(address, length)
            .ok_or(DeviceProcessError::OutsideMemory {
                what: "a kernel",
                address,
                bytes: length,
            })?;
        let kernel = match self.find(address) {
            Some(known) if images.bytes_of(known.library) == Some(&bytes) => Kernel {
                checked: true,
                ..known
            },
            _ => Kernel::of(images.load(&what, &bytes)?, address, &what)?,
        };
        self.kernels.retain(|known| known.address != address);
        self.kernels.push(kernel);
        Ok(kernel)
    }

    #[inline]
    fn find(&self, address: u64) -> Option<Kernel> {
        let found = self.kernels.iter().find(|kernel| kernel.address == address);
        found.copied()
    }
}

impl Kernel {
    fn of(library: &'static Library, address: u64, what: &str) -> Result<Self, DeviceProcessError> {
        // SAFETY: a kernel's entry has this signature; see `lanescope_abi::launch`.
        let entry = unsafe { library.get::<KernelEntry>(KERNEL_SYMBOL) };
        let entry = *entry.map_err(|source| DeviceProcessError::Load {
            what: what.to_owned(),
            source,
        })?;
        // SAFETY: a kernel's cost model has this signature; see `lanescope_abi::launch`.
        let cost = unsafe { library.get::<KernelCostEntry>(KERNEL_COST_SYMBOL) };
        Ok(Self {
            address,
            checked: true,
            library,
            entry,
            cost: cost.ok().map(|symbol| *symbol),
        })
    }

    /// Its address in device memory.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// What running it on these arguments costs, if it says so. To be asked first: a kernel may
    /// overwrite what its cost depends on.
    #[must_use]
    pub fn cost(&self, args: u64) -> Option<KernelCost> {
        let model = self.cost?;
        let mut cost = KernelCost::default();
        // SAFETY:
        // - The arguments are device memory, or null for a kernel that takes none.
        // - The cost outlives the call.
        unsafe { model(pointer::<u64>(args).cast_const(), &raw mut cost) };
        Some(cost)
    }

    /// Computes.
    pub fn run(&self, args: u64) {
        // SAFETY:
        // - The arguments are device memory, or null; what they point to is the sender's business,
        //   as on the chip.
        // - The library stays loaded.
        unsafe { (self.entry)(pointer::<u64>(args).cast_const()) };
    }
}

/// Why a kernel cannot be called with these arguments, if it cannot.
#[must_use]
#[inline]
pub fn refuse_args(memory: &Memory, args: u64) -> Option<String> {
    if args == 0 || args & 7 == 0 && memory.contains(args, 8) {
        return None;
    }
    Some(format!(
        "called a kernel with arguments at {args:#x}, which is not device memory"
    ))
}

impl Engine {
    /// Runs a kernel; see [`lanescope_abi::DeviceTable::call`].
    pub fn call(&self, agent: &Agent, address: u64, args: u64) {
        agent.calls.set(agent.calls.get() + 1);
        agent.only_looked.set(false);
        if agent.is_thread.get() {
            self.fail(
                agent,
                format!("called the kernel at {address:#x}; only cores run kernels"),
            );
        }
        self.charge(agent, agent.costs.get().call.into());
        let kernel = self.loader.kernel(address).unwrap_or_else(|error| {
            self.fail(agent, format!("called what is no kernel: {error}"));
        });
        if let Some(text) = refuse_args(&self.memory, args) {
            self.fail(agent, text);
        }
        if agent.hangs.get() {
            self.hang(agent, "the end of its kernel");
        }
        let cost = kernel.cost(args);
        kernel.run(args);
        let mut random = agent.random.borrow_mut();
        let core_type = agent.identity.get().core_type();
        let (duration, activity) = self.kernel_model.run(core_type, cost.as_ref(), &mut random);
        drop(random);
        self.advance(agent, duration);
        let mut registers = self.registers.borrow_mut();
        registers.pmu(agent.physical.get()).count(&activity);
    }
}
