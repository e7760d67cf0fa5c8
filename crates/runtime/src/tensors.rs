//! A graph's tensors in device memory: one allocation, kept while it is large enough.

use crate::graph::{Arg, Graph, TensorId};
use crate::upload::Upload;
use crate::{Result, RuntimeError};
use lanescope_platform::{Device, DeviceAddress, DeviceMemory};
use std::sync::Arc;

/// Tensors begin at multiples of this, so that none shares a line with another.
const ALIGN_BYTES: u64 = 512;

/// The tensors of the last graph.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    memory: Option<Arc<dyn DeviceMemory>>,
    /// Offset and length of each tensor.
    places: Vec<(u64, u64)>,
}

impl Tensors {
    /// Places the graph's tensors and fills each with what it holds before the run.
    pub(crate) fn upload(&mut self, device: &dyn Device, graph: &Graph) -> Result<()> {
        self.places.clear();
        let mut end = 0u64;
        for tensor in graph.tensors() {
            self.places.push((end, tensor.bytes));
            end = end
                .checked_add(tensor.bytes)
                .and_then(|end| end.checked_next_multiple_of(ALIGN_BYTES))
                .ok_or_else(|| {
                    graph.refuse("its tensors together do not fit 64 bits".to_owned())
                })?;
        }
        self.reserve(device, end)?;
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let mut upload = Upload::new(device, "uploading tensors", memory.address());
        for (tensor, &(offset, bytes)) in graph.tensors().iter().zip(&self.places) {
            match &tensor.content {
                Some(content) => upload.write(content)?,
                None => upload.zeros(bytes)?,
            }
            let end = offset + bytes;
            upload.zeros(end.next_multiple_of(ALIGN_BYTES) - end)?;
        }
        upload.finish()
    }

    /// The word that a checked argument stands for.
    pub(crate) fn word(&self, arg: Arg) -> u64 {
        match arg {
            Arg::Scalar(value) => value,
            Arg::Tensor(tensor) => self.address(tensor).0,
            Arg::TensorAt(tensor, offset_bytes) => self.address(tensor).offset(offset_bytes).0,
        }
    }

    /// What a tensor holds now.
    pub(crate) fn read(&self, device: &dyn Device, tensor: TensorId) -> Result<Vec<u8>> {
        let (Some(&(offset, bytes)), Some(memory)) =
            (self.places.get(tensor.index()), &self.memory)
        else {
            let (number, known) = (tensor.index(), self.places.len());
            return Err(RuntimeError::Option {
                option: "tensor",
                reason: format!("tensor {number} is not one of the {known} of the last graph"),
            });
        };
        let length = usize::try_from(bytes).map_err(|_| RuntimeError::Option {
            option: "tensor",
            reason: format!("{bytes} bytes do not fit the host's memory"),
        })?;
        let mut content = vec![0; length];
        device
            .copy_to_host(&mut content, memory.address().offset(offset))
            .map_err(|source| RuntimeError::platform("reading a tensor", source))?;
        Ok(content)
    }

    pub(crate) fn address(&self, tensor: TensorId) -> DeviceAddress {
        let memory = self
            .memory
            .as_ref()
            .expect("a checked graph names only tensors that it has, and those are placed");
        memory.address().offset(self.places[tensor.index()].0)
    }

    fn reserve(&mut self, device: &dyn Device, bytes: u64) -> Result<()> {
        if bytes == 0
            || self
                .memory
                .as_ref()
                .is_some_and(|memory| memory.bytes() >= bytes)
        {
            return Ok(());
        }
        self.memory = None;
        let memory = device
            .allocate(bytes)
            .map_err(|source| RuntimeError::platform("allocating tensors", source))?;
        self.memory = Some(memory);
        Ok(())
    }
}
