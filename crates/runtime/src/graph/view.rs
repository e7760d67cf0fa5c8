//! What a task's arguments are: type, shape and place of the tensors behind them.

use super::{Arg, Graph, Tensor, TensorId};
use crate::Result;
use lanescope_abi::record::MAX_RANK;
use lanescope_abi::{Dtype, Role, TensorShape};

/// One argument of a task as a tensor: all of the memory behind it, a window of it, or any view by
/// strides. Sizes are elements, the last dimension first in memory unless strides say otherwise.
///
/// ```
/// use lanescope_runtime::{Dtype, Role, TensorView};
///
/// let whole = TensorView::new(0, Role::Input, Dtype::Float32, &[16, 64]);
/// let window = TensorView::new(1, Role::Output, Dtype::Float16, &[4, 8]).window(&[16, 64], &[12, 0]);
/// let transposed = TensorView::new(2, Role::Input, Dtype::Int8, &[64, 16]).strided(&[1, 64]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorView {
    arg_index: u16,
    role: Role,
    dtype: Dtype,
    shape: Sizes,
    raw_shape: Sizes,
    offsets: Sizes,
    strides: Option<Sizes>,
}

/// A number for each dimension; more dimensions than are possible are counted, and later refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    rank: usize,
    of: [u32; MAX_RANK],
}

impl Sizes {
    fn new(sizes: &[u32]) -> Self {
        let mut of = [0; MAX_RANK];
        for (to, &size) in of.iter_mut().zip(sizes) {
            *to = size;
        }
        Self {
            rank: sizes.len(),
            of,
        }
    }
}

impl TensorView {
    /// All of a row-major tensor that begins where argument `arg_index` points; `&[]` is one element.
    #[must_use]
    pub fn new(arg_index: u16, role: Role, dtype: Dtype, shape: &[u32]) -> Self {
        let shape = Sizes::new(shape);
        Self {
            arg_index,
            role,
            dtype,
            shape,
            raw_shape: shape,
            offsets: Sizes {
                rank: shape.rank,
                of: [0; MAX_RANK],
            },
            strides: None,
        }
    }

    /// Only the window that begins at `offsets` of a row-major tensor of shape `raw_shape`, which
    /// begins where the argument points.
    #[must_use]
    pub fn window(mut self, raw_shape: &[u32], offsets: &[u32]) -> Self {
        self.raw_shape = Sizes::new(raw_shape);
        self.offsets = Sizes::new(offsets);
        self
    }

    /// With other distances from one index to the next than row-major order has.
    #[must_use]
    pub fn strided(mut self, strides: &[u32]) -> Self {
        self.strides = Some(Sizes::new(strides));
        self
    }

    /// Position among the task's arguments.
    #[must_use]
    pub const fn arg_index(&self) -> u16 {
        self.arg_index
    }

    /// What the task does with it.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its elements.
    #[must_use]
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Elements in each dimension.
    #[must_use]
    pub fn shape(&self) -> &[u32] {
        &self.shape.of[..self.shape.rank.min(MAX_RANK)]
    }

    /// Its bytes in row-major order, or `None` where they do not fit 64 bits.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let mut sizes = self.shape().iter();
        let element = u64::from(self.dtype.bytes());
        sizes.try_fold(element, |bytes, &size| bytes.checked_mul(size.into()))
    }

    /// As the device reads it, at `address`; only of a view that [`Self::check`] lets pass.
    pub(crate) fn at(&self, address: u64) -> TensorShape {
        TensorShape {
            address,
            arg_index: self.arg_index,
            role: self.role as u8,
            dtype: self.dtype as u8,
            rank: u8::try_from(self.shape.rank).expect("a checked view has at most 5 dimensions"),
            reserved: [0; 3],
            shape: self.shape.of,
            raw_shape: self.raw_shape.of,
            offsets: self.offsets.of,
            strides: self.strides().expect("a checked view has strides that fit"),
        }
    }

    /// Strides of each dimension; `None` where they do not fit 32 bits.
    fn strides(&self) -> Option<[u32; MAX_RANK]> {
        if let Some(strides) = self.strides {
            return Some(strides.of);
        }
        let mut strides = [0; MAX_RANK];
        let mut next = 1u64;
        for dimension in (0..self.raw_shape.rank.min(MAX_RANK)).rev() {
            strides[dimension] = u32::try_from(next).ok()?;
            next *= u64::from(self.raw_shape.of[dimension]);
        }
        Some(strides)
    }

    /// Refuses a view that does not lie in the `bytes` bytes behind its argument.
    fn check(&self, bytes: u64) -> std::result::Result<(), String> {
        let rank = self.shape.rank;
        if rank > MAX_RANK {
            return Err(format!(
                "{rank} dimensions, at most {MAX_RANK} are possible"
            ));
        }
        let strides_rank = self.strides.map_or(rank, |strides| strides.rank);
        for (what, other) in [
            ("raw shape", self.raw_shape.rank),
            ("offsets", self.offsets.rank),
            ("strides", strides_rank),
        ] {
            if other != rank {
                return Err(format!("{rank} dimensions, its {what} have {other}"));
            }
        }
        for dimension in 0..rank {
            let (size, offset) = (self.shape.of[dimension], self.offsets.of[dimension]);
            let raw = self.raw_shape.of[dimension];
            if u64::from(offset) + u64::from(size) > u64::from(raw) {
                return Err(format!(
                    "dimension {dimension} has {size} elements from {offset} on, the raw shape {raw}"
                ));
            }
        }
        let Some(strides) = self.strides() else {
            return Err("a raw shape whose strides do not fit 32 bits".to_owned());
        };
        let Some(own_bytes) = self.bytes() else {
            return Err("more bytes than fit 64 bits".to_owned());
        };
        if own_bytes == 0 {
            return Ok(());
        }
        // At most 5 * 2^33 * 2^32 elements of 8 bytes.
        let last: u128 = (0..rank)
            .map(|dimension| {
                let index = u128::from(self.offsets.of[dimension])
                    + u128::from(self.shape.of[dimension])
                    - 1;
                index * u128::from(strides[dimension])
            })
            .sum();
        let end = (last + 1) * u128::from(self.dtype.bytes());
        if end > u128::from(bytes) {
            return Err(format!("its last element ends at byte {end} of {bytes}"));
        }
        Ok(())
    }
}

/// The memory behind an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) tensor: TensorId,
    pub(crate) offset_bytes: u64,
}

impl Graph {
    /// Says what an argument of a task is, so that it can be recorded. In any order, each argument
    /// once; [`Graph::check`] refuses what does not fit the task and its tensors.
    pub fn describe(&mut self, task: super::TaskId, view: TensorView) {
        self.views.push((task, view));
    }

    /// The views in the order they were added.
    #[must_use]
    pub fn views(&self) -> &[(super::TaskId, TensorView)] {
        &self.views
    }

    pub(super) fn check_views(&self) -> Result<()> {
        for (place, (task, view)) in self.views.iter().enumerate() {
            if task.index() >= self.tasks.len() {
                let (task, tasks) = (task.index(), self.tasks.len());
                return Err(self.refuse(format!(
                    "view {place} names task {task}, the graph has {tasks}"
                )));
            }
            if let Err(reason) = self.check_view(*task, view) {
                let argument = view.arg_index;
                let text = format!("the view of argument {argument}: {reason}");
                return Err(self.refuse_task(task.index(), &text));
            }
        }
        let sorted = self.sorted_views();
        let key = |place: u32| {
            let (task, view) = &self.views[place as usize];
            (*task, view.arg_index)
        };
        if let Some(twice) = sorted.windows(2).find(|pair| key(pair[0]) == key(pair[1])) {
            let (task, argument) = key(twice[0]);
            let text = format!("argument {argument} is described twice");
            return Err(self.refuse_task(task.index(), &text));
        }
        Ok(())
    }

    /// Places of the views, by task and argument.
    pub(crate) fn sorted_views(&self) -> Vec<u32> {
        let mut places: Vec<u32> = (0u32..).zip(&self.views).map(|(place, _)| place).collect();
        places.sort_by_key(|&place| {
            let (task, view) = &self.views[place as usize];
            (*task, view.arg_index)
        });
        places
    }

    /// The memory that a described argument points to.
    pub(crate) fn behind(&self, task: super::TaskId, view: &TensorView) -> Option<Behind> {
        let args = self.task_args(task)?;
        match *args.get(usize::from(view.arg_index))? {
            Arg::Scalar(_) => None,
            Arg::Tensor(tensor) => Some(Behind {
                tensor,
                offset_bytes: 0,
            }),
            Arg::TensorAt(tensor, offset_bytes) => Some(Behind {
                tensor,
                offset_bytes,
            }),
        }
    }

    fn check_view(
        &self,
        task: super::TaskId,
        view: &TensorView,
    ) -> std::result::Result<(), String> {
        let args = self.task_args(task).unwrap_or_default();
        if usize::from(view.arg_index) >= args.len() {
            return Err(format!("the task has {} arguments", args.len()));
        }
        let Some(behind) = self.behind(task, view) else {
            return Err("it is a number, expected a tensor".to_owned());
        };
        let Tensor { name, bytes, .. } = &self.tensors[behind.tensor.index()];
        view.check(bytes - behind.offset_bytes)
            .map_err(|reason| format!("{reason} (tensor {name})"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::one_function;
    use super::*;
    use crate::TaskId;
    use lanescope_abi::CoreType;

    /// What is said of a view of argument 0, which points 64 bytes into a tensor of 1024.
    fn verdict_on(view: TensorView) -> String {
        let (mut graph, function) = one_function();
        let tensor = graph.tensor("t", 1024);
        let args = [Arg::TensorAt(tensor, 64), Arg::Scalar(1)];
        let task = graph.task(function, CoreType::Aiv, &args);
        graph.describe(task, view);
        match graph.check() {
            Ok(()) => "fits".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn floats(shape: &[u32]) -> TensorView {
        TensorView::new(0, Role::Input, Dtype::Float32, shape)
    }

    #[test]
    fn a_view_lies_inside_what_its_argument_points_to() {
        let inside = [
            floats(&[]),
            floats(&[240]),
            floats(&[2, 3, 4, 5, 2]),
            floats(&[0, u32::MAX]),
            floats(&[4, 4]).window(&[15, 16], &[11, 12]),
            floats(&[16, 15]).strided(&[1, 16]),
            floats(&[1000, 240]).strided(&[0, 1]),
        ];
        for view in inside {
            assert_eq!(verdict_on(view), "fits", "{view:?}");
        }
        let refused = [
            (floats(&[241]), "ends at byte 964 of 960 (tensor t)"),
            (floats(&[1; 6]), "6 dimensions, at most 5"),
            (floats(&[2]).window(&[4, 4], &[0]), "raw shape have 2"),
            (floats(&[2]).window(&[4], &[]), "offsets have 0"),
            (floats(&[2]).strided(&[1, 1]), "strides have 2"),
            (
                floats(&[4, 4]).window(&[15, 16], &[11, 13]),
                "dimension 1 has 4 elements from 13 on, the raw shape 16",
            ),
            (floats(&[16, 16]).strided(&[1, 16]), "ends at byte 1024"),
            (floats(&[u32::MAX; 5]).strided(&[0; 5]), "64 bits"),
            (floats(&[2, u32::MAX, u32::MAX]), "32 bits"),
            (
                floats(&[u32::MAX]).strided(&[u32::MAX]),
                "ends at byte 73786976243298598924",
            ),
            (
                TensorView::new(1, Role::Input, Dtype::Int8, &[]),
                "it is a number",
            ),
            (
                TensorView::new(2, Role::Input, Dtype::Int8, &[]),
                "the task has 2 arguments",
            ),
        ];
        for (view, expected) in refused {
            let told = verdict_on(view);
            assert!(told.contains(expected), "{view:?}: {told}");
            assert!(told.contains("task 0 (id 0x0, function f)"), "{told}");
        }
    }

    #[test]
    fn an_argument_is_described_once_and_a_task_that_is_there() {
        let (mut graph, function) = one_function();
        let tensor = graph.tensor("t", 64);
        let args = [Arg::Tensor(tensor); 2];
        let task = graph.task(function, CoreType::Aiv, &args);
        let view = |index| TensorView::new(index, Role::Inout, Dtype::Uint8, &[64]);
        graph.describe(task, view(1));
        graph.describe(task, view(0));
        graph.check().expect("each once");
        assert_eq!(graph.sorted_views(), [1, 0]);
        let mut twice = graph.clone();
        twice.describe(task, view(1));
        let told = twice.check().expect_err("refused").to_string();
        assert!(told.contains("argument 1 is described twice"), "{told}");
        graph.describe(TaskId::from_index(7), view(0));
        let told = graph.check().expect_err("refused").to_string();
        assert!(told.contains("view 2 names task 7"), "{told}");
    }
}
