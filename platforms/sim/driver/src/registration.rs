//! Device memory that the host has registered: one more view each, at an address of its own.

use crate::codes::{Result, hal, refuse, require};
use crate::memory::View;
use std::collections::BTreeMap;

/// Registrations a device has room for; leaked ones use them up.
pub(crate) const CAPACITY: usize = 128;

/// Pairs of device address and host view.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    views: BTreeMap<u64, View>,
}

impl Registrations {
    /// Checks that `address` can be registered.
    pub(crate) fn check(&self, address: u64) -> Result<()> {
        require(
            self.views.len() < CAPACITY,
            hal::PARA_ERROR,
            format_args!("{CAPACITY} registrations are alive, no more fit"),
        )?;
        require(
            !self.views.contains_key(&address),
            hal::REPEATED,
            format_args!("device memory at {address:#x} is registered already"),
        )
    }

    /// Adds a checked registration and returns its host address.
    pub(crate) fn add(&mut self, address: u64, view: View) -> *mut u8 {
        let pointer = view.pointer();
        self.views.insert(address, view);
        pointer
    }

    /// Ends the registration of a device address.
    pub(crate) fn remove(&mut self, address: u64) -> Result<()> {
        if self.views.remove(&address).is_some() {
            return Ok(());
        }
        let is_host = self
            .views
            .values()
            .any(|view| view.pointer().addr() as u64 == address);
        let why = if is_host {
            "is the host address of a registration; the device address is expected"
        } else {
            "is not registered"
        };
        Err(refuse(hal::NOT_EXIST, format_args!("{address:#x} {why}")))
    }

    /// Whether any registration starts in `bytes` bytes from `address`.
    pub(crate) fn touch(&self, address: u64, bytes: u64) -> bool {
        let end = address.saturating_add(bytes.max(1));
        self.views.range(address..end).next().is_some()
    }

    /// Device address and length of each.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u64, usize)> {
        self.views
            .iter()
            .map(|(address, view)| (*address, view.bytes()))
    }
}
