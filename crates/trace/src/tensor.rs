//! A tensor of a task at one moment, and its bytes.

use crate::Session;
use crate::rows::Row;
use lanescope_abi::record::{Dtype, MAX_RANK, Role, Stage};
use lanescope_abi::{ArenaMark, Checksum, CoreType, TensorRecord};
use lanescope_capture::CaptureFile;
use std::collections::BTreeMap;
use std::sync::Arc;

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
        let mut expected = 1_u64;
        let raw_shape = self.raw_shape().iter().rev();
        let mut rows = self.strides().iter().rev().zip(raw_shape);
        let is_by_rows = rows.all(|(&stride, &extent)| {
            let fits = u64::from(stride) == expected;
            expected = expected.saturating_mul(u64::from(extent));
            fits
        });
        let pairs = self.shape().iter().zip(self.raw_shape());
        is_by_rows && pairs.skip(1).all(|(extent, raw)| extent == raw)
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

/// The bytes of a tensor, whole and with the right checksum, where they lie.
#[derive(Clone, Debug, Default)]
pub struct Payload<'a> {
    pieces: Vec<&'a [u8]>,
}

impl<'a> Payload<'a> {
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

    /// As the device computes it.
    fn checksum(&self) -> u64 {
        let mut checksum = Checksum::new();
        let mut line = [0_u8; LINE_BYTES];
        let mut filled = 0;
        for mut piece in self.pieces.iter().copied() {
            while !piece.is_empty() {
                let taken = piece.len().min(LINE_BYTES - filled);
                line[filled..filled + taken].copy_from_slice(&piece[..taken]);
                (filled, piece) = (filled + taken, &piece[taken..]);
                if filled == LINE_BYTES {
                    checksum.line(&zerocopy::transmute!(line));
                    filled = 0;
                }
            }
        }
        if filled > 0 {
            line[filled..].fill(0);
            checksum.line(&zerocopy::transmute!(line));
        }
        checksum.finish()
    }
}

const LINE_BYTES: usize = 64;

/// The payloads of a trace, by AICPU thread and position in the arena.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    file: Option<Arc<CaptureFile>>,
    /// By thread and position.
    places: BTreeMap<(u32, u64), Place>,
}

#[derive(Debug)]
enum Place {
    Owned(Vec<u8>),
    /// Offset and bytes; proved to lie in the file when the capture was read.
    Mapped(usize, usize),
}

impl Payloads {
    /// Payloads in memory: thread, position of the first byte, bytes.
    pub(crate) fn owned(payloads: Vec<(u32, u64, Vec<u8>)>) -> Self {
        let places = payloads.into_iter();
        let places = places.map(|(thread, begin, bytes)| ((thread, begin), Place::Owned(bytes)));
        Self {
            file: None,
            places: places.collect(),
        }
    }

    pub(crate) fn mapped(file: &Arc<CaptureFile>) -> Self {
        Self {
            file: Some(Arc::clone(file)),
            places: BTreeMap::new(),
        }
    }

    /// Adds a checked block of the mapped file.
    pub(crate) fn add(&mut self, thread: u32, begin: u64, offset: usize, bytes: usize) {
        let place = Place::Mapped(offset, bytes);
        self.places.insert((thread, begin), place);
    }

    /// The bytes of a row, when all of them are here and are those the device wrote.
    pub(crate) fn of(&self, row: &TensorRow) -> Option<Payload<'_>> {
        let mut payload = Payload::default();
        let mut at = row
            .payload_begin
            .checked_add(size_of::<ArenaMark>() as u64)?;
        let end = at.checked_add(row.payload_bytes)?;
        while at < end {
            let until = (row.thread, at);
            let (&(thread, begin), place) = self.places.range(..=until).next_back()?;
            let bytes = self.bytes(place);
            let skipped = usize::try_from(at - begin).ok()?;
            let rest = bytes.get(skipped..).filter(|rest| !rest.is_empty())?;
            if thread != row.thread {
                return None;
            }
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let piece = &rest[..rest.len().min(wanted)];
            payload.pieces.push(piece);
            at += piece.len() as u64;
        }
        (payload.checksum() == row.checksum).then_some(payload)
    }

    fn bytes<'a>(&'a self, place: &'a Place) -> &'a [u8] {
        match (place, &self.file) {
            (Place::Owned(bytes), _) => bytes,
            (&Place::Mapped(offset, bytes), Some(file)) => &file.bytes()[offset..offset + bytes],
            (Place::Mapped(..), None) => unreachable!("a mapped place has its file"),
        }
    }
}
