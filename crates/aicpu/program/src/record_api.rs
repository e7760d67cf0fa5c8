//! The record API for schedulers in C and C++.
