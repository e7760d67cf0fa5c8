//! The AICPU dispatcher that stores a delivered program under a name.
