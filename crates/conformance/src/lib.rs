//! One suite that every platform must pass.
