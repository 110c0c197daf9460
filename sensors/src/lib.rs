//! I2C chips: drivers that say what to wait for instead of sleeping, a catalogue of them, and simulated twins that
//! answer the drivers' real bytes.
//!
//! This crate knows bytes on a bus and physical units. It knows no network, no node and no wall clock.

pub mod bus;
pub mod catalogue;
pub mod chip;
pub mod chips;
pub mod host;
pub mod rota;
pub mod scan;
pub mod sim;
pub mod stuck;

mod bus_rppal;
mod crc;
#[cfg(test)]
mod testkit;
mod transfer;
#[cfg(test)]
mod whole_tests;
