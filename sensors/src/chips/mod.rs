//! The drivers: one file for each chip or family, each with its datasheet's vectors as tests.

pub mod sht3x;
