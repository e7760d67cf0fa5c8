//! What a workload is: a name, a graph to run and a check of its results.

use crate::{AnyError, Check, Result, WorkloadError};
use lanescope_abi::ChipInfo;
use lanescope_runtime::{Build, FunctionId, Graph, TensorId};
use std::fmt;
use std::sync::Arc;

/// Every kernel of the workloads; each is built from `examples/kernels/<name>.cpp`.
pub const KERNEL_NAMES: [&str; 10] = [
    "attention_pv",
    "attention_qk",
    "attention_softmax",
    "attention_update",
    "gemm_accumulate",
    "gemm_tile",
    "replay",
    "vector_add",
    "vector_fused",
    "vector_mul",
];

/// A task graph of some size with a host check.
pub trait Workload: fmt::Debug + Send + Sync {
    /// As the command line spells it.
    fn name(&self) -> &'static str;

    /// One line: what it computes, with its sizes.
    fn describe(&self) -> String;

    /// Builds the graph for a chip, with the kernels of a build.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Kernel`].
    fn build(&self, target: &Target<'_>) -> Result<Built>;
}

/// What a graph is built for.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Where kernel images come from.
    pub kernels: &'a dyn Kernels,
    /// The chip that will run it.
    pub chip: &'static ChipInfo,
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("chip", &self.chip.name)
            .finish_non_exhaustive()
    }
}

/// Finds kernel images by name.
pub trait Kernels {
    /// The ELF image of a kernel.
    ///
    /// # Errors
    ///
    /// Whatever keeps the image from being had.
    fn image(&self, name: &str) -> std::result::Result<Arc<[u8]>, AnyError>;
}

impl Kernels for Build {
    fn image(&self, name: &str) -> std::result::Result<Arc<[u8]>, AnyError> {
        Ok(self.kernel(name)?)
    }
}

impl<F> Kernels for F
where
    F: Fn(&str) -> std::result::Result<Arc<[u8]>, AnyError>,
{
    fn image(&self, name: &str) -> std::result::Result<Arc<[u8]>, AnyError> {
        self(name)
    }
}

impl Target<'_> {
    /// Adds a function whose kernel has the same name.
    pub(crate) fn function(
        &self,
        workload: &'static str,
        graph: &mut Graph,
        func_id: u32,
        name: &str,
        kernel: &'static str,
    ) -> Result<FunctionId> {
        let image = self
            .kernels
            .image(kernel)
            .map_err(|source| WorkloadError::Kernel {
                workload,
                kernel,
                source,
            })?;
        Ok(graph.function(name, func_id, image))
    }
}

/// A graph that is ready to run, and how to check what it computed.
pub struct Built {
    /// The graph. Every run of it starts from the same inputs.
    pub graph: Graph,
    /// What the user should know about how it was built; a sentence each.
    pub warnings: Vec<String>,
    pub(crate) results: Vec<ResultTensor>,
    pub(crate) workload: &'static str,
}

/// A tensor to read back.
pub(crate) struct ResultTensor {
    pub(crate) name: &'static str,
    pub(crate) tensor: TensorId,
    pub(crate) compare: Compare,
}

/// Compares the bytes of a result with what the host computes.
pub(crate) type Compare = Box<dyn Fn(&[u8]) -> Result<Check> + Send + Sync>;

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built")
            .field("graph", &self.graph.name())
            .field("tasks", &self.graph.task_count())
            .field("edges", &self.graph.edge_count())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl Built {
    /// The tensors that [`Built::check`] reads.
    pub fn results(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.results.iter().map(|result| result.tensor)
    }

    /// Compares what the device computed with an independent computation on the host.
    ///
    /// `read` returns the bytes of a tensor after the run.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Wrong`] names the first wrong value; [`WorkloadError::Read`] and
    /// [`WorkloadError::Length`] when a result cannot be compared.
    pub fn check<E: Into<AnyError>>(
        &self,
        mut read: impl FnMut(TensorId) -> std::result::Result<Vec<u8>, E>,
    ) -> Result<Check> {
        let mut total: Option<Check> = None;
        for result in &self.results {
            let bytes = read(result.tensor).map_err(|source| WorkloadError::Read {
                workload: self.workload,
                tensor: result.name,
                source: source.into(),
            })?;
            let expected_bytes = self.graph.tensor_bytes(result.tensor).unwrap_or(0);
            if bytes.len() as u64 != expected_bytes {
                return Err(WorkloadError::Length {
                    workload: self.workload,
                    tensor: result.name,
                    found_bytes: bytes.len() as u64,
                    expected_bytes,
                });
            }
            let check = (result.compare)(&bytes)?;
            total = Some(total.map_or(check, |total| total.and(check)));
        }
        Ok(total.expect("every workload has a result"))
    }
}
