//! Stage 1: what an AICore does with a token; the Rust reference of publish and the C++ executor.
