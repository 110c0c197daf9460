//! What every chip driver is: a [`Chip`] that starts a conversion, says how long to wait, and reads it.
//!
//! The caller's contract: call [`Chip::start`]; wait at least the time it gives; call [`Chip::read`]; while that says
//! [`Step::Wait`], wait that long and call `read` again; at [`Step::Done`] the measurement is over. After an error the
//! measurement is over too: the next `start` begins anew (and initialises the chip again, for it may have lost power).

use std::time::Duration;

use embedded_hal::i2c::{ErrorKind, I2c};

/// Why a measurement failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The chip did not acknowledge its address or a byte.
    Nack,
    /// The bus or the chip took too long.
    Timeout,
    /// A checksum did not fit its data.
    Crc,
    /// The value cannot be true: out of the chip's range, a register's "no value", or an open wire.
    Range,
    /// The chip says that it has no value yet.
    NotReady,
    /// The bus or the chip is not there.
    Absent,
    /// The chip gives one raw value again and again where that cannot be.
    Stuck,
}

/// A failed measurement, and the register, command or step at which it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault:?} at {at}")]
pub struct ChipError {
    /// What went wrong.
    pub fault: Fault,
    /// The register, command or step, in the datasheet's word.
    pub at: &'static str,
}

impl ChipError {
    /// `fault`, seen at `at`.
    pub const fn new(fault: Fault, at: &'static str) -> Self {
        Self { fault, at }
    }

    /// For `map_err`: what a bus error at `at` means for the measurement. A failure of the bus as such is `Absent`: the
    /// caller may want to open it again.
    pub fn bus<E: embedded_hal::i2c::Error>(at: &'static str) -> impl Fn(E) -> ChipError {
        move |error| {
            let fault = match error.kind() {
                ErrorKind::NoAcknowledge(_) => Fault::Nack,
                ErrorKind::Bus => Fault::Absent,
                _ => Fault::Timeout,
            };
            ChipError { fault, at }
        }
    }
}

/// A quantity that a chip measures: its name and its SenML unit (RFC 8428 section 12.1; empty for a raw number).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// As in `temperature`; an ADC has one for each input, as in `ain0`.
    pub name: String,
    /// As in `Cel`.
    pub unit: &'static str,
}

impl Quantity {
    /// A quantity `name` in `unit`.
    pub fn new(name: impl Into<String>, unit: &'static str) -> Self {
        Self { name: name.into(), unit }
    }
}

/// One value out of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Index into [`Chip::quantities`].
    pub quantity: usize,
    /// The value in the quantity's unit, or why there is none although the chip answered.
    pub value: Result<f64, Fault>,
}

/// What comes after a successful [`Chip::read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The measurement is over.
    Done,
    /// Call `read` again when this much time has passed.
    Wait(Duration),
}

/// One I2C part at one address.
pub trait Chip<B: I2c + ?Sized>: Send {
    /// What it measures, in an order that never changes.
    fn quantities(&self) -> &[Quantity];

    /// Begins a measurement, initialising the chip first where needed; says how long to wait before `read`.
    fn start(&mut self, bus: &mut B) -> Result<Duration, ChipError>;

    /// Takes what is ready and appends it to `samples`. An error means that every quantity not yet given failed.
    fn read(&mut self, bus: &mut B, samples: &mut Vec<Sample>) -> Result<Step, ChipError>;
}
