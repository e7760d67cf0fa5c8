//! Task graphs on a platform: build, launch, wait, copy back.
