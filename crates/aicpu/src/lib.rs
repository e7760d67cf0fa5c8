//! Stage 2: record (commit, rotate, flush) and schedule (handshake, dispatch), for the chip's own CPUs.
