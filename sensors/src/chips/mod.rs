//! The drivers: one file for each chip or family, each with its datasheet's vectors as tests.

pub mod ads1x15;
pub mod aht20;
pub mod bh1750;
pub mod bme280;
pub mod lm75;
pub mod mcp9808;
pub mod seesaw;
pub mod sht3x;
pub mod sht4x;
pub mod tmp117;
