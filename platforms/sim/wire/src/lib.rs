//! What the simulated driver and its device process say to each other.
