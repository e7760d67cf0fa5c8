//! A tensor of a task at one moment, and its bytes.

use crate::Session;
use crate::rows::Row;
use lanescope_abi::record::{Dtype, MAX_RANK, Role, Stage};
use lanescope_abi::{CoreType, TensorRecord};

/// A tensor of a task at one moment: its key is (run, core, token, stage, argument).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorRow {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function the task runs.
    pub func_id: u32,
    /// Core index in the launch.
    pub core: u16,
    /// The kind of that core.
    pub core_type: CoreType,
    /// The AICPU thread that recorded it.
    pub thread: u32,
    /// The core's dispatch number.
    pub token: u32,
    /// The run.
    pub run_id: u32,
    /// Before or after its task ran.
    pub stage: Stage,
    /// Position among the task's arguments.
    pub arg_index: u16,
    /// What the task does with it.
    pub role: Role,
    /// Element type; `None` for a number that is none.
    pub dtype: Option<Dtype>,
    /// Dimensions, 0..=5.
    pub rank: u8,
    /// Elements in each dimension.
    pub shape: [u32; MAX_RANK],
    /// Elements of the larger tensor in each dimension.
    pub raw_shape: [u32; MAX_RANK],
    /// Where the window begins in each dimension.
    pub offsets: [u32; MAX_RANK],
    /// Elements from one index to the next in each dimension.
    pub strides: [u32; MAX_RANK],
    /// Device address of the first byte of the larger tensor.
    pub address: u64,
    /// Whether not all of the tensor was kept.
    pub is_truncated: bool,
    /// Where its entry in the arena began.
    pub payload_begin: u64,
    /// Bytes that were kept.
    pub payload_bytes: u64,
    /// Bytes of the whole logical tensor.
    pub tensor_bytes: u64,
    /// 0, 1, 2 … in the lane.
    pub sequence: u64,
    /// Of the bytes that were kept.
    pub checksum: u64,
    /// When its first byte was read.
    pub ticks: u64,
}

impl Default for TensorRow {
    fn default() -> Self {
        Self {
            task_id: 0,
            func_id: 0,
            core: 0,
            core_type: CoreType::Aic,
            thread: 0,
            token: 0,
            run_id: 0,
            stage: Stage::default(),
            arg_index: 0,
            role: Role::default(),
            dtype: Some(Dtype::default()),
            rank: 0,
            shape: [0; MAX_RANK],
            raw_shape: [0; MAX_RANK],
            offsets: [0; MAX_RANK],
            strides: [0; MAX_RANK],
            address: 0,
            is_truncated: false,
            payload_begin: 0,
            payload_bytes: 0,
            tensor_bytes: 0,
            sequence: 0,
            checksum: 0,
            ticks: 0,
        }
    }
}

impl TensorRow {
    /// Elements in each dimension it has.
    #[must_use]
    pub fn shape(&self) -> &[u32] {
        &self.shape[..usize::from(self.rank)]
    }

    /// Elements of the larger tensor in each dimension it has.
    #[must_use]
    pub fn raw_shape(&self) -> &[u32] {
        &self.raw_shape[..usize::from(self.rank)]
    }

    /// Where the window begins in each dimension it has.
    #[must_use]
    pub fn offsets(&self) -> &[u32] {
        &self.offsets[..usize::from(self.rank)]
    }

    /// Elements from one index to the next in each dimension it has.
    #[must_use]
    pub fn strides(&self) -> &[u32] {
        &self.strides[..usize::from(self.rank)]
    }

    /// Elements of the logical tensor: 1 at rank 0. At most `u64::MAX`.
    #[must_use]
    pub fn element_count(&self) -> u64 {
        let shape = self.shape().iter();
        shape.fold(1_u64, |count, &extent| {
            count.saturating_mul(u64::from(extent))
        })
    }

    /// Whether the bytes lay in one piece, as the reference judges it: all dimensions but the first
    /// are those of the larger tensor, and its strides are those of rows.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        is_contiguous(self.shape(), self.raw_shape(), self.strides())
    }

    /// Whether sizes and numbers agree with each other.
    fn makes_sense(&self) -> bool {
        let elements = self
            .shape()
            .iter()
            .try_fold(1_u64, |count, &extent| count.checked_mul(u64::from(extent)));
        let bytes = match self.dtype {
            Some(dtype) => elements.and_then(|count| count.checked_mul(u64::from(dtype.bytes()))),
            None => Some(self.tensor_bytes),
        };
        let kept_is_right = match self.is_truncated {
            true => self.payload_bytes <= self.tensor_bytes,
            false => self.payload_bytes == self.tensor_bytes,
        };
        bytes == Some(self.tensor_bytes) && kept_is_right
    }
}

impl Row for TensorRow {
    type Record = TensorRecord;

    fn of(record: &TensorRecord, thread: u32, session: &Session) -> Option<Self> {
        let core_type = session.cores.get(usize::from(record.core))?.core_type;
        let tensor = &record.tensor;
        let row = Self {
            task_id: record.task_id,
            func_id: record.func_id,
            core: record.core,
            core_type,
            thread,
            token: record.token,
            run_id: record.run_id,
            stage: Stage::from_raw(record.stage)?,
            arg_index: tensor.arg_index,
            role: Role::from_raw(tensor.role)?,
            dtype: Dtype::from_raw(tensor.dtype),
            rank: (usize::from(tensor.rank) <= MAX_RANK).then_some(tensor.rank)?,
            shape: tensor.shape,
            raw_shape: tensor.raw_shape,
            offsets: tensor.offsets,
            strides: tensor.strides,
            address: tensor.address,
            is_truncated: record.is_truncated != 0,
            payload_begin: record.payload_begin,
            payload_bytes: record.payload_bytes,
            tensor_bytes: record.tensor_bytes,
            sequence: record.sequence,
            checksum: record.checksum,
            ticks: record.ticks,
        };
        row.makes_sense().then_some(row)
    }
}

/// See [`TensorRow::is_contiguous`]. A window whose strides are those of its own rows, and not of the larger
/// tensor's, lies in one piece too.
pub(crate) fn is_contiguous(shape: &[u32], raw_shape: &[u32], strides: &[u32]) -> bool {
    let mut expected = 1_u64;
    let mut rows = strides.iter().rev().zip(raw_shape.iter().rev());
    let is_by_rows = rows.all(|(&stride, &extent)| {
        // Where there is one index only, no element is a stride away.
        let fits = extent == 1 || u64::from(stride) == expected;
        expected = expected.saturating_mul(u64::from(extent));
        fits
    });
    let rank = shape.len();
    let has_rows_of = |extents| rows_of(extents)[..rank] == *strides;
    match shape.iter().skip(1).eq(raw_shape.iter().skip(1)) {
        true => is_by_rows,
        false => has_rows_of(shape) && !has_rows_of(raw_shape),
    }
}

/// The strides of a tensor that lies row by row.
pub(crate) fn rows_of(shape: &[u32]) -> [u32; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut stride = 1_u32;
    for (place, &extent) in shape.iter().enumerate().rev() {
        strides[place] = stride;
        stride = stride.saturating_mul(extent);
    }
    strides
}

/// The bytes of a tensor, whole and with the right checksum, where they lie.
#[derive(Clone, Debug, Default)]
pub struct Payload<'a> {
    pieces: Vec<&'a [u8]>,
}

impl<'a> Payload<'a> {
    pub(crate) const fn new(pieces: Vec<&'a [u8]>) -> Self {
        Self { pieces }
    }

    /// The bytes, piece by piece.
    #[must_use]
    pub fn pieces(&self) -> &[&'a [u8]] {
        &self.pieces
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of them in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}
