//! A graph executed on host memory, one kernel after another.

use lanescope_abi::launch::{KERNEL_COST_SYMBOL, KERNEL_SYMBOL, KernelCost};
use lanescope_examples::{AnyError, KERNEL_NAMES, Kernels};
use lanescope_runtime::{Arg, Graph, TaskId, TensorId};
use libloading::Library;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// In which of the possible orders ready tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one that became ready first.
    FirstReady,
    /// The one that became ready last.
    LastReady,
    /// Any, by a seed.
    Shuffled(u64),
    /// As `FirstReady`, but this task does nothing.
    WithoutTask(usize),
    /// As `FirstReady`, but this task does its work twice.
    TaskTwice(usize),
    /// From the last task to the first, against the edges.
    Backwards,
}

/// The memory of a graph after it has run.
pub struct Host {
    tensors: Vec<Vec<u64>>,
    bytes: Vec<usize>,
}

impl Host {
    /// Runs every task of the graph.
    pub fn run(graph: &Graph, order: Order) -> Self {
        let mut host = Self::new(graph);
        let kernels = Images::shared();
        for task in sequence(graph, order) {
            let args = host.args(graph.task_args(task).unwrap());
            let image = graph
                .function_image(graph.task_function(task).unwrap())
                .unwrap();
            let kernel = kernels.kernel(image);
            let times = match order {
                Order::WithoutTask(skipped) if skipped == task.index() => 0,
                Order::TaskTwice(repeated) if repeated == task.index() => 2,
                _ => 1,
            };
            for _ in 0..times {
                kernel.call(&args);
            }
            assert_plausible(kernel.cost(&args));
        }
        host
    }

    /// The bytes of a tensor.
    pub fn read(&self, tensor: TensorId) -> Result<Vec<u8>, AnyError> {
        let words = &self.tensors[tensor.index()];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.bytes[tensor.index()]);
        Ok(bytes)
    }

    fn new(graph: &Graph) -> Self {
        let mut host = Self {
            tensors: Vec::new(),
            bytes: Vec::new(),
        };
        for number in 0..graph.tensor_count() {
            let tensor = TensorId::from_index(u32::try_from(number).unwrap());
            let bytes = usize::try_from(graph.tensor_bytes(tensor).unwrap()).unwrap();
            let mut words = vec![0u64; bytes.div_ceil(8)];
            let content = graph.tensor_content(tensor).unwrap_or(&[]);
            for (word, content) in words.iter_mut().zip(content.chunks(8)) {
                let mut bytes = [0; 8];
                bytes[..content.len()].copy_from_slice(content);
                *word = u64::from_le_bytes(bytes);
            }
            host.tensors.push(words);
            host.bytes.push(bytes);
        }
        host
    }

    fn args(&mut self, args: &[Arg]) -> Vec<u64> {
        let mut address = |tensor: TensorId| self.tensors[tensor.index()].as_mut_ptr() as u64;
        args.iter()
            .map(|arg| match *arg {
                Arg::Scalar(value) => value,
                Arg::Tensor(tensor) => address(tensor),
                Arg::TensorAt(tensor, offset_bytes) => address(tensor) + offset_bytes,
            })
            .collect()
    }
}

/// Every task of a graph.
pub fn tasks(graph: &Graph) -> impl Iterator<Item = TaskId> + use<> {
    let count = u32::try_from(graph.task_count()).unwrap();
    (0..count).map(TaskId::from_index)
}

/// The kernels of the workloads.
pub fn kernels() -> &'static dyn Kernels {
    Images::shared()
}

/// What a kernel says it would cost.
pub fn cost(kernel: &str, args: &[u64]) -> KernelCost {
    let image = kernels().image(kernel).unwrap();
    Images::shared().kernel(&image).cost(args)
}

fn sequence(graph: &Graph, order: Order) -> Vec<TaskId> {
    if order == Order::Backwards {
        let mut tasks: Vec<_> = tasks(graph).collect();
        tasks.reverse();
        return tasks;
    }
    let mut waits = vec![0; graph.task_count()];
    let mut successors: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for &(from, to) in graph.edge_list() {
        waits[to.index()] += 1;
        successors.entry(from).or_default().push(to);
    }
    let mut ready: Vec<TaskId> = tasks(graph)
        .filter(|task| waits[task.index()] == 0)
        .collect();
    let mut done = Vec::new();
    let mut random = match order {
        Order::Shuffled(seed) => seed,
        _ => 0,
    };
    while !ready.is_empty() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = match order {
            Order::LastReady => ready.len() - 1,
            Order::Shuffled(_) => usize::try_from(random >> 33).unwrap() % ready.len(),
            _ => 0,
        };
        let task = ready.remove(place);
        done.push(task);
        for &successor in successors.get(&task).map_or(&[][..], Vec::as_slice) {
            waits[successor.index()] -= 1;
            if waits[successor.index()] == 0 {
                ready.push(successor);
            }
        }
    }
    assert_eq!(done.len(), graph.task_count());
    done
}

/// What a kernel may ask of a core of the chip in one task of a test.
fn assert_plausible(cost: KernelCost) {
    let modelled = cost.fixed_ns > 0 && cost.read_bytes > 0 && cost.write_bytes > 0;
    let pipes = cost.cube_cycles + cost.vector_cycles + cost.scalar_cycles;
    assert!(cost.exact_ticks > 0 || (modelled && pipes > 0), "{cost:?}");
    assert!(pipes < 1_000_000, "{cost:?}");
}

/// The kernels of the workloads: their images, and the same loaded into this process.
struct Images {
    kernels: Vec<Kernel>,
}

struct Kernel {
    name: &'static str,
    image: Arc<[u8]>,
    library: Library,
}

impl Kernels for Images {
    fn image(&self, name: &str) -> Result<Arc<[u8]>, AnyError> {
        let mut kernels = self.kernels.iter();
        let kernel = kernels.find(|kernel| kernel.name == name);
        Ok(kernel.ok_or("no such kernel")?.image.clone())
    }
}

impl Images {
    /// The kernels, compiled once for all tests.
    fn shared() -> &'static Self {
        static IMAGES: OnceLock<Images> = OnceLock::new();
        IMAGES.get_or_init(|| {
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("kernels");
            std::fs::create_dir_all(&folder).unwrap();
            let kernels = KERNEL_NAMES.into_iter();
            Self {
                kernels: kernels.map(|name| Kernel::build(name, &folder)).collect(),
            }
        })
    }

    /// The loaded kernel of an image that `image` returned.
    fn kernel(&self, image: &Arc<[u8]>) -> &Kernel {
        let mut kernels = self.kernels.iter();
        let kernel = kernels.find(|kernel| Arc::ptr_eq(&kernel.image, image));
        kernel.expect("the graph was built with these kernels")
    }
}

fn compile(name: &str, to: &Path) {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let status = Command::new(compiler)
        .args([
            "-O2",
            "-std=c++17",
            "-shared",
            "-fPIC",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .args(["-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"])
        .arg("-I")
        .arg(examples.join("../crates/abi/include"))
        .arg(examples.join(format!("kernels/{name}.cpp")))
        .arg("-o")
        .arg(to)
        .status()
        .expect("a C++ compiler");
    assert!(status.success(), "{name} compiles");
}

impl Kernel {
    fn build(name: &'static str, folder: &Path) -> Self {
        let file = folder.join(format!("{name}.so"));
        compile(name, &file);
        Self {
            name,
            image: std::fs::read(&file).unwrap().into(),
            // SAFETY: a kernel has no initialisers.
            library: unsafe { Library::new(&file) }.unwrap(),
        }
    }

    fn call(&self, args: &[u64]) {
        type Entry = unsafe extern "C" fn(*const u64);
        // SAFETY: the kernel exports this symbol with this type.
        let entry = unsafe { self.library.get::<Entry>(KERNEL_SYMBOL) }.unwrap();
        // SAFETY: the arguments are addresses inside tensors that live for this call, and their
        // sizes; the workload's own tests hold it to stay inside.
        unsafe { entry(args.as_ptr()) };
    }

    fn cost(&self, args: &[u64]) -> KernelCost {
        type Cost = unsafe extern "C" fn(*const u64, *mut KernelCost);
        let mut cost = KernelCost::default();
        // SAFETY: the kernel exports this symbol with this type.
        let model = unsafe { self.library.get::<Cost>(KERNEL_COST_SYMBOL) }.unwrap();
        // SAFETY: the model reads the arguments and writes the cost, both of which live here.
        unsafe { model(args.as_ptr(), &raw mut cost) };
        cost
    }
}
