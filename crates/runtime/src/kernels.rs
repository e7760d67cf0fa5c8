//! Kernel images on the device, each uploaded once a session.

use crate::graph::Graph;
use crate::{Result, RuntimeError};
use lanescope_platform::{Device, DeviceAddress, DeviceMemory};
use std::collections::HashMap;
use std::sync::Arc;

/// The kernels that a session has uploaded so far, by image.
#[derive(Debug, Default)]
pub(crate) struct Kernels {
    by_image: HashMap<Arc<[u8]>, Arc<dyn DeviceMemory>>,
}

impl Kernels {
    /// The device address of each function of the graph, uploading what is new. Functions that no
    /// task uses may lack a usable image; their address is then 0.
    pub(crate) fn addresses(
        &mut self,
        device: &dyn Device,
        graph: &Graph,
    ) -> Result<Vec<DeviceAddress>> {
        let mut first_task = vec![None; graph.functions().len()];
        for (number, task) in graph.tasks().iter().enumerate() {
            first_task[task.function.index()].get_or_insert(number);
        }
        let mut addresses = Vec::with_capacity(first_task.len());
        for (function, first_task) in graph.functions().iter().zip(first_task) {
            addresses.push(match first_task {
                None => DeviceAddress(0),
                Some(task) => self.address(device, graph, &function.image, task)?,
            });
        }
        Ok(addresses)
    }

    fn address(
        &mut self,
        device: &dyn Device,
        graph: &Graph,
        image: &Arc<[u8]>,
        first_task: usize,
    ) -> Result<DeviceAddress> {
        if let Some(memory) = self.by_image.get(image) {
            return Ok(memory.address());
        }
        let bytes = device.kernel_bytes(image).map_err(|error| {
            graph.refuse_task(first_task, &format!("its kernel cannot be used: {error}"))
        })?;
        let uploading = |source| RuntimeError::platform("uploading a kernel", source);
        let memory = device.allocate(bytes.len() as u64).map_err(uploading)?;
        device
            .copy_to_device(memory.address(), bytes)
            .map_err(uploading)?;
        let address = memory.address();
        self.by_image.insert(Arc::clone(image), memory);
        Ok(address)
    }
}
