//! Stages 3 and 4: buffer pool, drain and writer threads, collectors, reconcile.
