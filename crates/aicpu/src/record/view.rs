//! The elements of a tensor in row-major order, as runs of neighbouring bytes.

use lanescope_abi::record::MAX_RANK;
use lanescope_abi::{Dtype, Role, TaskTensor};

/// Where the copy of a tensor is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// Bytes of the whole logical tensor.
    pub(crate) bytes: u64,
    /// Bytes of a run.
    run_bytes: u64,
    /// Dimensions that runs do not cover, outermost first: how many, and bytes from one to the next.
    outer: [(u32, u64); MAX_RANK],
    outer_count: usize,
    index: [u32; MAX_RANK],
    run_address: u64,
    /// Bytes of the run that are done.
    done_bytes: u64,
}

impl View {
    /// The view of a tensor, or `None` when it is of no known type or reaches outside its memory.
    pub(crate) fn new(tensor: &TaskTensor) -> Option<Self> {
        let shape = &tensor.tensor;
        let rank = usize::from(shape.rank);
        let element_bytes = u64::from(Dtype::from_raw(shape.dtype)?.bytes());
        Role::from_raw(shape.role)?;
        let lengths = shape.shape.get(..rank)?;
        let strides = &shape.strides[..rank];
        let mut bytes = element_bytes;
        let (mut first, mut last) = (0u128, 0u128);
        for ((length, stride), offset) in lengths.iter().zip(strides).zip(shape.offsets) {
            bytes = bytes.checked_mul(u64::from(*length))?;
            let stride = u128::from(*stride);
            first += u128::from(offset) * stride;
            last += u128::from(length.saturating_sub(1)) * stride;
        }
        let end = (first + last + 1) * u128::from(element_bytes);
        let is_inside = bytes == 0
            || shape.address != 0
                && end <= u128::from(tensor.raw_bytes)
                && shape.address.checked_add(tensor.raw_bytes).is_some();
        if !is_inside {
            return None;
        }
        let first = u64::try_from(first).ok()?.checked_mul(element_bytes)?;
        let mut view = Self {
            bytes,
            run_bytes: element_bytes,
            outer: [(1, 0); MAX_RANK],
            outer_count: 0,
            index: [0; MAX_RANK],
            run_address: shape.address.wrapping_add(first),
            done_bytes: 0,
        };
        // A dimension joins the run behind it while its elements follow one another.
        let mut is_joined = true;
        for (length, stride) in lengths.iter().zip(strides).rev() {
            let stride_bytes = u64::from(*stride) * element_bytes;
            is_joined &= *length == 1 || stride_bytes == view.run_bytes;
            if is_joined {
                view.run_bytes = view.run_bytes.wrapping_mul(u64::from(*length));
            } else {
                view.outer[view.outer_count] = (*length, stride_bytes);
                view.outer_count += 1;
            }
        }
        view.outer[..view.outer_count].reverse();
        Some(view)
    }

    /// Address and length of the next neighbouring bytes, at most `most` of them; there are some left.
    pub(crate) fn next(&mut self, most: u64) -> (u64, u64) {
        let bytes = most.min(self.run_bytes - self.done_bytes);
        let address = self.run_address + self.done_bytes;
        self.done_bytes += bytes;
        if self.done_bytes == self.run_bytes {
            self.done_bytes = 0;
            self.advance();
        }
        (address, bytes)
    }

    /// Goes to the next run.
    fn advance(&mut self) {
        let outer = self.outer[..self.outer_count].iter().zip(&mut self.index);
        for ((length, stride_bytes), index) in outer.rev() {
            *index += 1;
            self.run_address = self.run_address.wrapping_add(*stride_bytes);
            if *index < *length {
                return;
            }
            let back = stride_bytes.wrapping_mul(u64::from(*length));
            self.run_address = self.run_address.wrapping_sub(back);
            *index = 0;
        }
    }
}
