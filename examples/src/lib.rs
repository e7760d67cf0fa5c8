//! Workloads: task graphs, their C++ kernels and independent host checks.
