//! What a graph holds, for those who run it by other means than a session: tests, models, tools.

use super::{Arg, FunctionId, Graph, TaskId, TensorId};
use lanescope_abi::CoreType;
use std::sync::Arc;

impl Graph {
    /// The edges in the order they were added, repeats included.
    #[must_use]
    pub fn edge_list(&self) -> &[(TaskId, TaskId)] {
        &self.edges
    }

    /// Number of tensors.
    #[must_use]
    pub fn tensor_count(&self) -> usize {
        self.tensors.len()
    }

    /// What a tensor holds at the start of a run; `None` for one that is all zero, or is not of
    /// this graph.
    #[must_use]
    pub fn tensor_content(&self, tensor: TensorId) -> Option<&[u8]> {
        self.tensors.get(tensor.index())?.content.as_deref()
    }

    /// The kernel image of a function of this graph.
    #[must_use]
    pub fn function_image(&self, function: FunctionId) -> Option<&Arc<[u8]>> {
        Some(&self.functions.get(function.index())?.image)
    }

    /// The function of a task of this graph.
    #[must_use]
    pub fn task_function(&self, task: TaskId) -> Option<FunctionId> {
        Some(self.tasks.get(task.index())?.function)
    }

    /// The core type of a task of this graph.
    #[must_use]
    pub fn task_core_type(&self, task: TaskId) -> Option<CoreType> {
        Some(self.tasks.get(task.index())?.core_type)
    }

    /// The identity in records of a task of this graph.
    #[must_use]
    pub fn task_identity(&self, task: TaskId) -> Option<u64> {
        Some(self.tasks.get(task.index())?.task_id)
    }

    /// The arguments of a task of this graph.
    #[must_use]
    pub fn task_args(&self, task: TaskId) -> Option<&[Arg]> {
        Some(self.args_of(self.tasks.get(task.index())?))
    }
}
