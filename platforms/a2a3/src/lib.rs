//! The backend of Ascend 910B and 910C.
