//! Kernels: what `call` jumps to.
//!
//! The address a core is given is that of an ELF image in device memory. It is loaded once; what
//! is behind an address is compared with what was loaded at the first call after each launch, so
//! that other bytes at the same address are noticed.

use crate::agent::Agent;
use crate::engine::Engine;
use crate::error::DeviceProcessError;
use crate::image::elf_bytes;
use crate::memory::pointer;
use lanescope_abi::launch::{KERNEL_COST_SYMBOL, KERNEL_SYMBOL, KernelCost};
use libloading::Library;

type KernelEntry = unsafe extern "C" fn(args: *const u64);
type KernelCostEntry = unsafe extern "C" fn(args: *const u64, cost: *mut KernelCost);

/// Kernels that have been called.
#[derive(Debug, Default)]
pub struct Kernels {
    kernels: Vec<Kernel>,
}

#[derive(Clone, Copy, Debug)]
struct Kernel {
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

    #[inline]
    fn find(&self, address: u64) -> Option<Kernel> {
        let found = self.kernels.iter().find(|kernel| kernel.address == address);
        found.copied()
    }

    fn put(&mut self, kernel: Kernel) {
        self.kernels.retain(|known| known.address != kernel.address);
        self.kernels.push(kernel);
    }
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
        let kernel = self.kernel(address).unwrap_or_else(|error| {
            self.fail(agent, format!("called what is no kernel: {error}"));
        });
        if args != 0 && (args & 7 != 0 || !self.memory.contains(args, 8)) {
            let text =
                format!("called a kernel with arguments at {args:#x}, which is not device memory");
            self.fail(agent, text);
        }
        if agent.hangs.get() {
            self.hang(agent, "the end of its kernel");
        }
        let duration = run(kernel, args, |cost| {
            let mut random = agent.random.borrow_mut();
            self.kernel_model.duration(cost, &mut random)
        });
        self.advance(agent, duration);
    }

    #[inline]
    fn kernel(&self, address: u64) -> Result<Kernel, DeviceProcessError> {
        // The borrow ends here: a kernel that is new is put among those that are known.
        let known = self.kernels.borrow().find(address);
        match known {
            Some(kernel) if kernel.checked => Ok(kernel),
            known => self.load_kernel(address, known),
        }
    }

    #[cold]
    fn load_kernel(
        &self,
        address: u64,
        known: Option<Kernel>,
    ) -> Result<Kernel, DeviceProcessError> {
        let length = elf_bytes(&self.memory, "the image", address)?;
        let what = format!("the kernel at {address:#x}");
        let bytes = self
            .memory
            .copy(address, length)
            .ok_or(DeviceProcessError::OutsideMemory {
                what: "a kernel",
                address,
                bytes: length,
            })?;
        let mut images = self.images.borrow_mut();
        let kernel = match known {
            Some(known) if images.bytes_of(known.library) == Some(&bytes) => Kernel {
                checked: true,
                ..known
            },
            _ => Kernel::of(images.load(&what, &bytes)?, address, &what)?,
        };
        drop(images);
        self.kernels.borrow_mut().put(kernel);
        Ok(kernel)
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
}

/// Computes, and asks the kernel's model what that cost. The model comes first: a kernel may
/// overwrite what its cost depends on.
fn run(kernel: Kernel, args: u64, duration: impl FnOnce(Option<&KernelCost>) -> u64) -> u64 {
    let args = pointer::<u64>(args).cast_const();
    let cost = kernel.cost.map(|model| {
        let mut cost = KernelCost::default();
        // SAFETY:
        // - The arguments are device memory, or null for a kernel that takes none.
        // - The cost outlives the call.
        unsafe { model(args, &raw mut cost) };
        cost
    });
    // SAFETY:
    // - The arguments are device memory, or null; what they point to is the sender's business, as
    //   on the chip.
    // - The library stays loaded.
    unsafe { (kernel.entry)(args) };
    duration(cost.as_ref())
}
