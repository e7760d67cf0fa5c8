//! Raw bindings of the vendor driver and their run-time loader.
