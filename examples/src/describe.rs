//! What the arguments of a task are, so that they can be dumped.

use lanescope_runtime::{Dtype, Graph, Role, TaskId, TensorView};

/// A number of elements as a view takes it; the sizes of workloads are far below.
pub(crate) fn elements(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Describes the arguments of one task, all of f32 but where said otherwise.
pub(crate) struct Describe<'a> {
    graph: &'a mut Graph,
    task: TaskId,
}

impl<'a> Describe<'a> {
    pub(crate) fn new(graph: &'a mut Graph, task: TaskId) -> Self {
        Self { graph, task }
    }

    /// A dense tensor.
    pub(crate) fn dense(&mut self, argument: u16, role: Role, shape: &[u64]) -> &mut Self {
        self.view(argument, role, shape, |view| view)
    }

    /// Rows of a matrix whose rows are `row_stride` elements apart.
    pub(crate) fn rows(
        &mut self,
        argument: u16,
        role: Role,
        shape: [u64; 2],
        row_stride: u64,
    ) -> &mut Self {
        self.view(argument, role, &shape, |view| {
            view.strided(&[elements(row_stride), 1])
        })
    }

    /// A window of a larger tensor that begins where the argument points.
    pub(crate) fn window(
        &mut self,
        argument: u16,
        role: Role,
        shape: &[u64],
        raw_shape: &[u64],
        offsets: &[u64],
    ) -> &mut Self {
        let sizes = |sizes: &[u64]| sizes.iter().copied().map(elements).collect::<Vec<_>>();
        self.view(argument, role, shape, |view| {
            view.window(&sizes(raw_shape), &sizes(offsets))
        })
    }

    /// Dense numbers of four bytes.
    pub(crate) fn indices(&mut self, argument: u16, count: u64) -> &mut Self {
        let view = TensorView::new(argument, Role::Input, Dtype::Uint32, &[elements(count)]);
        self.graph.describe(self.task, view);
        self
    }

    fn view(
        &mut self,
        argument: u16,
        role: Role,
        shape: &[u64],
        change: impl FnOnce(TensorView) -> TensorView,
    ) -> &mut Self {
        let shape: Vec<u32> = shape.iter().copied().map(elements).collect();
        let view = change(TensorView::new(argument, role, Dtype::Float32, &shape));
        self.graph.describe(self.task, view);
        self
    }
}
