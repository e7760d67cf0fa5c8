//! The backend of Ascend 950.
