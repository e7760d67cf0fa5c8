//! The simulated vendor driver: the state library behind the vendor's symbols.
