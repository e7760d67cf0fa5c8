//! The device process of the simulated driver.
