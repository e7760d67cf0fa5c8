//! A graph of tensors of every type, rank and layout, whose bytes the host knows at every moment.

use lanescope::{Arg, Build, CoreType, Dtype, Graph, Role, RuntimeError, Stage, TensorView};
use lanescope_stress::Numbers;

const LAYOUTS: [Layout; 6] = [
    Layout::Dense,
    Layout::Window,
    Layout::Gaps,
    Layout::Transposed,
    Layout::Repeated,
    Layout::Empty,
];

/// How the elements of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Side by side.
    Dense,
    /// A window of a larger tensor.
    Window,
    /// Every dimension further apart than it need be.
    Gaps,
    /// The first dimension is the nearest.
    Transposed,
    /// The first dimension does not move at all.
    Repeated,
    /// One dimension has no element.
    Empty,
}

/// A graph, and what a dump of it holds.
#[derive(Debug)]
pub struct TensorGraph {
    /// The graph.
    pub graph: Graph,
    /// Every tensor at every stage at which it is dumped.
    pub expected: Vec<ExpectedTensor>,
}

/// A tensor as a dump shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTensor {
    /// Its task.
    pub task_id: u64,
    /// Its argument.
    pub arg_index: u16,
    /// Before or after the task.
    pub stage: Stage,
    /// What the task does with it.
    pub role: Role,
    /// Its elements.
    pub dtype: Dtype,
    /// How many.
    pub shape: Vec<u32>,
    /// Its bytes, element after element.
    pub bytes: Vec<u8>,
}

/// Where the elements of a tensor are, in elements from its argument.
#[derive(Clone, Debug)]
struct View {
    dtype: Dtype,
    shape: Vec<u32>,
    raw_shape: Vec<u32>,
    offsets: Vec<u32>,
    strides: Vec<u32>,
    has_strides: bool,
}

impl TensorGraph {
    /// Every type times every rank times every layout: a task that reads one and writes one, and every
    /// third time a task that changes one in place.
    ///
    /// # Errors
    ///
    /// When the kernel was not built.
    pub fn of_every_kind(build: &Build, seed: u64) -> Result<Self, RuntimeError> {
        let mut tasks = Tasks::new(build, seed)?;
        for dtype in Dtype::ALL {
            for rank in 0..=5 {
                for layout in LAYOUTS {
                    let view = tasks.view(dtype, rank, layout);
                    tasks.add(view);
                }
            }
        }
        Ok(tasks.finish())
    }

    /// So many tasks with two small tensors each, the second behind the first's task and so on.
    ///
    /// # Errors
    ///
    /// As [`Self::of_every_kind`].
    pub fn small(build: &Build, seed: u64, tasks: u32) -> Result<Self, RuntimeError> {
        let mut all = Tasks::new(build, seed)?;
        for _ in 0..tasks {
            let elements = 1 + all.numbers.below(16);
            all.add(View::dense(Dtype::Float32, &[below_u32(elements)]));
        }
        Ok(all.finish())
    }

    /// Tensors of so many bytes, dense.
    ///
    /// # Errors
    ///
    /// As [`Self::of_every_kind`].
    pub fn of_bytes(build: &Build, seed: u64, bytes: &[u32]) -> Result<Self, RuntimeError> {
        let mut tasks = Tasks::new(build, seed)?;
        for bytes in bytes {
            tasks.add(View::dense(Dtype::Uint8, &[*bytes]));
        }
        Ok(tasks.finish())
    }
}

/// Tasks under construction: contents of the sources so far, and views of them.
struct Tasks {
    numbers: Numbers,
    image: std::sync::Arc<[u8]>,
    content: Vec<u8>,
    tasks: Vec<(u64, View, bool)>,
}

impl Tasks {
    fn new(build: &Build, seed: u64) -> Result<Self, RuntimeError> {
        Ok(Self {
            numbers: Numbers::new(seed),
            image: build.kernel("invert")?,
            content: Vec::new(),
            tasks: Vec::new(),
        })
    }

    /// A view with that many dimensions.
    fn view(&mut self, dtype: Dtype, rank: usize, layout: Layout) -> View {
        let shape: Vec<u32> = (0..rank)
            .map(|_| 1 + below_u32(self.numbers.below(5)))
            .collect();
        let dense = View::dense(dtype, &shape);
        match layout {
            Layout::Dense => dense,
            Layout::Window => {
                let offsets: Vec<u32> = (0..rank)
                    .map(|_| below_u32(self.numbers.below(3)))
                    .collect();
                let spare = below_u32(self.numbers.below(3));
                let raw = |(size, offset): (&u32, &u32)| size + offset + spare;
                let raw_shape: Vec<u32> = shape.iter().zip(&offsets).map(raw).collect();
                View {
                    strides: row_strides(&raw_shape),
                    raw_shape,
                    offsets,
                    ..dense
                }
            }
            Layout::Gaps => {
                let strides = row_strides(&shape.iter().map(|size| size + 2).collect::<Vec<_>>());
                let strides = strides.iter().map(|stride| 2 * stride).collect();
                dense.with_strides(strides)
            }
            Layout::Transposed => {
                let reversed: Vec<u32> = shape.iter().rev().copied().collect();
                let strides = row_strides(&reversed).into_iter().rev().collect();
                dense.with_strides(strides)
            }
            Layout::Repeated => {
                let mut strides = dense.strides.clone();
                if let Some(first) = strides.first_mut() {
                    *first = 0;
                }
                dense.with_strides(strides)
            }
            Layout::Empty => {
                let mut shape = shape;
                if let Some(last) = shape.last_mut() {
                    *last = 0;
                }
                View::dense(dtype, &shape)
            }
        }
    }

    /// Adds a task with this view of its source, which begins anywhere in a line.
    fn add(&mut self, view: View) {
        let is_in_place = self.tasks.len() % 3 == 2;
        let at = self.content.len() as u64 + 8 * self.numbers.below(9);
        let bytes = view.memory_bytes().next_multiple_of(8).max(8);
        let end = usize::try_from(at + bytes).expect("test graphs are small");
        while self.content.len() < end {
            self.content
                .extend(self.numbers.below(u64::MAX).to_le_bytes());
        }
        self.tasks.push((at, view, is_in_place));
    }

    fn finish(self) -> TensorGraph {
        let Self {
            image,
            content,
            tasks,
            ..
        } = self;
        let mut graph = Graph::new("tensors");
        let invert = graph.function("invert", 0, image);
        let source = graph.tensor_from("source", &content);
        let result = graph.tensor("result", content.len() as u64);
        let mut expected = Vec::new();
        for (place, (at, view, is_in_place)) in tasks.into_iter().enumerate() {
            let task_id = 1000 + place as u64;
            let bytes = Arg::Scalar(view.memory_bytes().next_multiple_of(8).max(8));
            let from = Arg::TensorAt(source, at);
            let to = Arg::TensorAt(if is_in_place { source } else { result }, at);
            let task = graph.task_with_id(invert, CoreType::Aiv, &[to, from, bytes], task_id);
            let begin = usize::try_from(at).expect("test graphs are small");
            let before = view.gather(&content[begin..]);
            let after: Vec<u8> = before.iter().map(|byte| !byte).collect();
            let dumped = |arg_index, role, stage, bytes: &Vec<u8>| ExpectedTensor {
                task_id,
                arg_index,
                stage,
                role,
                dtype: view.dtype,
                shape: view.shape.clone(),
                bytes: bytes.clone(),
            };
            if is_in_place {
                graph.describe(task, view.described(0, Role::Inout));
                expected.push(dumped(0, Role::Inout, Stage::BeforeDispatch, &before));
                expected.push(dumped(0, Role::Inout, Stage::AfterCompletion, &after));
            } else {
                graph.describe(task, view.described(1, Role::Input));
                graph.describe(task, view.described(0, Role::Output));
                expected.push(dumped(1, Role::Input, Stage::BeforeDispatch, &before));
                expected.push(dumped(0, Role::Output, Stage::AfterCompletion, &after));
            }
        }
        TensorGraph { graph, expected }
    }
}

impl View {
    fn dense(dtype: Dtype, shape: &[u32]) -> Self {
        Self {
            dtype,
            shape: shape.to_vec(),
            raw_shape: shape.to_vec(),
            offsets: vec![0; shape.len()],
            strides: row_strides(shape),
            has_strides: false,
        }
    }

    fn with_strides(self, strides: Vec<u32>) -> Self {
        Self {
            strides,
            has_strides: true,
            ..self
        }
    }

    fn described(&self, argument: u16, role: Role) -> TensorView {
        let view = TensorView::new(argument, role, self.dtype, &self.shape);
        let view = view.window(&self.raw_shape, &self.offsets);
        if self.has_strides {
            view.strided(&self.strides)
        } else {
            view
        }
    }

    /// Bytes from the argument to behind the last element.
    fn memory_bytes(&self) -> u64 {
        let mut last = 0;
        self.each(|element| last = last.max(element + 1));
        last * u64::from(self.dtype.bytes())
    }

    /// The elements, one after the other, out of the memory behind the argument.
    fn gather(&self, memory: &[u8]) -> Vec<u8> {
        let size = self.dtype.bytes() as usize;
        let mut gathered = Vec::new();
        self.each(|element| {
            let begin = usize::try_from(element).expect("test graphs are small") * size;
            gathered.extend(&memory[begin..begin + size]);
        });
        gathered
    }

    /// Calls `with` for the place of each element, the last dimension first.
    fn each(&self, mut with: impl FnMut(u64)) {
        let count: u64 = self.shape.iter().map(|size| u64::from(*size)).product();
        for number in 0..count {
            let mut rest = number;
            let mut place = 0;
            for dimension in (0..self.shape.len()).rev() {
                let size = u64::from(self.shape[dimension]);
                let index = rest % size + u64::from(self.offsets[dimension]);
                place += index * u64::from(self.strides[dimension]);
                rest /= size;
            }
            with(place);
        }
    }
}

/// Distances of the elements of a row-major tensor.
fn row_strides(shape: &[u32]) -> Vec<u32> {
    let mut strides = vec![1; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension] * shape[dimension];
    }
    strides
}

fn below_u32(number: u64) -> u32 {
    u32::try_from(number).expect("a small number")
}
