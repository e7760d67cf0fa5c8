//! A task graph: tensors, functions, tasks and the edges between them.

mod contents;
mod order;
mod view;

pub(crate) use order::Order;
pub use view::TensorView;

use crate::{Result, RuntimeError};
use lanescope_abi::{CoreType, MAX_TASK_ARGS};
use std::sync::Arc;

/// A task graph under construction.
///
/// Nothing is checked while it is built; [`Graph::check`] (which every run calls) refuses what
/// cannot run and names the task. Flat arrays hold it: a task costs 32 bytes, an argument 16, an
/// edge 8, a described argument 136.
///
/// ```
/// use lanescope_runtime::{Arg, CoreType, Graph};
///
/// let mut graph = Graph::new("chain");
/// let image = std::sync::Arc::from([1u8, 2, 3].as_slice());
/// let scale = graph.function("scale", 7, image);
/// let data = graph.tensor_from("data", &[0; 256]);
/// let first = graph.task(scale, CoreType::Aiv, &[Arg::Tensor(data), Arg::Scalar(64)]);
/// let second = graph.task(scale, CoreType::Aiv, &[Arg::TensorAt(data, 128), Arg::Scalar(32)]);
/// graph.edge(first, second);
/// graph.check()?;
/// # Ok::<(), lanescope_runtime::RuntimeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    name: String,
    functions: Vec<Function>,
    tensors: Vec<Tensor>,
    tasks: Vec<Task>,
    args: Vec<Arg>,
    edges: Vec<(TaskId, TaskId)>,
    views: Vec<(TaskId, TensorView)>,
}

/// A function of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(u32);

/// A tensor of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(u32);

/// A task of one graph: its index, in the order tasks were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u32);

/// One 8-byte kernel argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// Device address of a tensor's first byte.
    Tensor(TensorId),
    /// Device address inside a tensor, this many bytes from its start.
    TensorAt(TensorId, u64),
    /// The number itself.
    Scalar(u64),
}

/// A kernel and how traces name it.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) func_id: u32,
    pub(crate) image: Arc<[u8]>,
}

/// Device memory that the graph's kernels read and write.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// What it holds before the run; zeros when absent.
    pub(crate) content: Option<Arc<[u8]>>,
}

/// One unit of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) task_id: u64,
    pub(crate) first_arg: u64,
    pub(crate) function: FunctionId,
    pub(crate) arg_count: u32,
    pub(crate) core_type: CoreType,
}

impl Graph {
    /// An empty graph; the name stands in messages and in the capture.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            functions: Vec::new(),
            tensors: Vec::new(),
            tasks: Vec::new(),
            args: Vec::new(),
            edges: Vec::new(),
            views: Vec::new(),
        }
    }

    /// Adds a function: the name and number that traces show, and its kernel image (an ELF file).
    /// Functions that share a `func_id` share a row in reports.
    pub fn function(
        &mut self,
        name: impl Into<String>,
        func_id: u32,
        image: Arc<[u8]>,
    ) -> FunctionId {
        self.functions.push(Function {
            name: name.into(),
            func_id,
            image,
        });
        FunctionId(index(self.functions.len()))
    }

    /// Adds a tensor of `bytes` bytes that is all zero at the start of each run.
    pub fn tensor(&mut self, name: impl Into<String>, bytes: u64) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            bytes,
            content: None,
        });
        TensorId(index(self.tensors.len()))
    }

    /// Adds a tensor that holds `content` at the start of each run.
    pub fn tensor_from(&mut self, name: impl Into<String>, content: &[u8]) -> TensorId {
        self.tensors.push(Tensor {
            name: name.into(),
            bytes: content.len() as u64,
            content: Some(Arc::from(content)),
        });
        TensorId(index(self.tensors.len()))
    }

    /// Adds a task whose identity in records is its index.
    pub fn task(&mut self, function: FunctionId, core_type: CoreType, args: &[Arg]) -> TaskId {
        let task_id = self.tasks.len() as u64;
        self.task_with_id(function, core_type, args, task_id)
    }

    /// Adds a task with an identity of the caller's choice, which several tasks may share.
    pub fn task_with_id(
        &mut self,
        function: FunctionId,
        core_type: CoreType,
        args: &[Arg],
        task_id: u64,
    ) -> TaskId {
        let first_arg = self.args.len() as u64;
        self.args.extend_from_slice(args);
        self.tasks.push(Task {
            task_id,
            first_arg,
            function,
            arg_count: u32::try_from(args.len()).unwrap_or(u32::MAX),
            core_type,
        });
        TaskId(index(self.tasks.len()))
    }

    /// Adds a dependency: `to` is dispatched only after `from` has finished. The same edge twice
    /// counts once.
    pub fn edge(&mut self, from: TaskId, to: TaskId) {
        self.edges.push((from, to));
    }

    /// The graph's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of tasks.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// What records of its tasks carry as their identity, in the order tasks were added.
    pub fn task_ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.tasks.iter().map(|task| task.task_id)
    }

    /// Number of edges as they were added, repeats included.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// Length of a tensor, or `None` when it is not of this graph.
    #[must_use]
    pub fn tensor_bytes(&self, tensor: TensorId) -> Option<u64> {
        self.tensors
            .get(tensor.0 as usize)
            .map(|tensor| tensor.bytes)
    }

    /// Refuses a graph that cannot run.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Graph`], naming the task: no task at all; an unknown function or tensor; an
    /// offset outside its tensor; more than [`MAX_TASK_ARGS`] arguments; a function without a
    /// kernel; an edge to no task; a cycle; a view that does not fit its argument. An empty tensor,
    /// naming it.
    pub fn check(&self) -> Result<()> {
        self.order().map(drop)
    }

    /// Checks the graph and sorts its edges by producer.
    pub(crate) fn order(&self) -> Result<Order> {
        if self.tasks.is_empty() {
            return Err(self.refuse("it has no task".to_owned()));
        }
        for tensor in &self.tensors {
            if tensor.bytes == 0 {
                return Err(self.refuse(format!("tensor {} has no bytes", tensor.name)));
            }
        }
        for number in 0..self.tasks.len() {
            self.check_task(number)?;
        }
        self.check_views()?;
        Order::new(self)
    }

    fn check_task(&self, number: usize) -> Result<()> {
        let task = &self.tasks[number];
        let Some(function) = self.functions.get(task.function.0 as usize) else {
            let known = self.functions.len();
            return Err(self.refuse_task(
                number,
                &format!("its function is not one of the {known} of this graph"),
            ));
        };
        if function.image.is_empty() {
            return Err(self.refuse_task(number, "its function has no kernel: the image is empty"));
        }
        if task.arg_count > MAX_TASK_ARGS {
            let count = task.arg_count;
            return Err(self.refuse_task(
                number,
                &format!("it has {count} arguments, at most {MAX_TASK_ARGS} are possible"),
            ));
        }
        for (position, arg) in self.args_of(task).iter().enumerate() {
            let (tensor, offset_bytes) = match *arg {
                Arg::Scalar(_) => continue,
                Arg::Tensor(tensor) => (tensor, 0),
                Arg::TensorAt(tensor, offset_bytes) => (tensor, offset_bytes),
            };
            let Some(tensor) = self.tensors.get(tensor.0 as usize) else {
                let known = self.tensors.len();
                return Err(self.refuse_task(
                    number,
                    &format!("argument {position} names a tensor that is not one of the {known} of this graph"),
                ));
            };
            if offset_bytes >= tensor.bytes {
                let (name, bytes) = (&tensor.name, tensor.bytes);
                return Err(self.refuse_task(
                    number,
                    &format!("argument {position} points {offset_bytes} bytes into tensor {name}, which has {bytes}"),
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    pub(crate) fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The arguments of a task of this graph.
    pub(crate) fn args_of(&self, task: &Task) -> &[Arg] {
        let first = usize::try_from(task.first_arg).expect("an index of a vector");
        &self.args[first..first + task.arg_count as usize]
    }

    pub(crate) fn refuse(&self, reason: String) -> RuntimeError {
        RuntimeError::Graph {
            graph: self.name.clone(),
            reason,
        }
    }

    pub(crate) fn refuse_task(&self, number: usize, reason: &str) -> RuntimeError {
        let task = &self.tasks[number];
        let function = self
            .functions
            .get(task.function.0 as usize)
            .map_or("?", |function| function.name.as_str());
        let id = task.task_id;
        self.refuse(format!(
            "task {number} (id {id:#x}, function {function}): {reason}"
        ))
    }
}

impl FunctionId {
    /// Its place in the graph, in the order functions were added.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The function at a place; a place that no function has is refused by [`Graph::check`].
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

impl TensorId {
    /// Its place in the graph, in the order tensors were added.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The tensor at a place, for callers that keep plain numbers; a place that no tensor has is
    /// refused where the id is used.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

impl TaskId {
    /// Its place in the graph, in the order tasks were added.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The task at a place; a place that no task has is refused by [`Graph::check`].
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

/// The index of the item that was just pushed; `u32::MAX` (which no list accepts) past 32 bits.
fn index(length: usize) -> u32 {
    u32::try_from(length - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn one_function() -> (Graph, FunctionId) {
        let mut graph = Graph::new("test");
        let function = graph.function("f", 3, Arc::from([1u8].as_slice()));
        (graph, function)
    }

    fn refusal(graph: &Graph) -> String {
        graph.check().expect_err("refused").to_string()
    }

    #[test]
    fn an_empty_graph_is_refused() {
        assert_eq!(refusal(&Graph::new("g")), "graph g: it has no task");
    }

    #[test]
    fn an_unknown_tensor_is_refused_by_task_and_argument() {
        let (mut graph, f) = one_function();
        graph.task(f, CoreType::Aiv, &[]);
        let arg = Arg::Tensor(TensorId::from_index(4));
        graph.task_with_id(f, CoreType::Aiv, &[Arg::Scalar(1), arg], 0x77);
        let text = refusal(&graph);
        assert!(
            text.contains("task 1 (id 0x77, function f): argument 1"),
            "{text}"
        );
    }

    #[test]
    fn an_offset_at_the_end_of_a_tensor_is_refused() {
        let (mut graph, f) = one_function();
        let tensor = graph.tensor("t", 64);
        graph.task(f, CoreType::Aiv, &[Arg::TensorAt(tensor, 63)]);
        graph.check().expect("the last byte is inside");
        graph.task(f, CoreType::Aiv, &[Arg::TensorAt(tensor, 64)]);
        assert!(refusal(&graph).contains("task 1"));
    }

    #[test]
    fn an_over_long_argument_list_is_refused() {
        let (mut graph, f) = one_function();
        graph.task(f, CoreType::Aic, &[Arg::Scalar(0); 64]);
        graph.check().expect("64 fit");
        graph.task(f, CoreType::Aic, &[Arg::Scalar(0); 65]);
        assert!(refusal(&graph).contains("task 1 (id 0x1, function f): it has 65 arguments"));
    }

    #[test]
    fn absent_kernels_and_functions_are_refused() {
        let (mut graph, _) = one_function();
        let empty = graph.function("empty", 4, Arc::from([].as_slice()));
        graph.task(empty, CoreType::Aic, &[]);
        assert!(refusal(&graph).contains("task 0 (id 0x0, function empty)"));
        let (mut graph, _) = one_function();
        graph.task(FunctionId::from_index(9), CoreType::Aic, &[]);
        assert!(refusal(&graph).contains("task 0"));
    }

    #[test]
    fn a_cycle_is_refused_and_names_its_tasks() {
        let (mut graph, f) = one_function();
        let tasks: Vec<_> = (0..5).map(|_| graph.task(f, CoreType::Aiv, &[])).collect();
        graph.edge(tasks[0], tasks[1]);
        graph.edge(tasks[1], tasks[2]);
        graph.edge(tasks[2], tasks[3]);
        graph.check().expect("no cycle yet");
        graph.edge(tasks[3], tasks[1]);
        let text = refusal(&graph);
        assert!(
            text.contains("cycle") && text.contains("1 -> 2 -> 3 -> 1"),
            "{text}"
        );
    }

    #[test]
    fn an_edge_to_no_task_is_refused() {
        let (mut graph, f) = one_function();
        let task = graph.task(f, CoreType::Aiv, &[]);
        graph.edge(task, TaskId::from_index(8));
        assert!(refusal(&graph).contains("edge 0"));
    }

    #[test]
    fn a_repeated_edge_counts_once() {
        let (mut graph, f) = one_function();
        let (a, b) = (
            graph.task(f, CoreType::Aiv, &[]),
            graph.task(f, CoreType::Aic, &[]),
        );
        graph.edge(a, b);
        graph.edge(a, b);
        let order = graph.order().expect("a graph");
        assert_eq!(order.predecessors, [0, 1]);
        assert_eq!(order.successors_of(0), [1]);
    }
}
