//! Simulated chips at register level, and the world that they measure. Everything here is a pure function of the time
//! that the caller gives and of a seed: the same seed gives the same run, byte for byte.

pub mod ads1x15;
pub mod aht20;
pub mod bh1750;
pub mod bme280;
pub mod bus;
mod converter;
pub mod faults;
pub mod lm75;
pub mod mcp9808;
pub mod seesaw;
pub mod sht3x;
pub mod sht4x;
pub mod tmp117;
pub mod twin;
pub mod world;

pub use bus::{SimBus, SimClock, TwinMaker};
pub use faults::{FaultKind, PlanError, PlannedFault};
pub use twin::{Moment, SimTime, Twin, TwinError};
pub use world::World;
