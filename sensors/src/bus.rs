//! The buses that chips are on: how a user names one, how it is opened, and what its errors mean.

use std::fmt;
use std::str::FromStr;

use embedded_hal::i2c::{ErrorKind, I2c, NoAcknowledgeSource};

use crate::bus_rppal;
use crate::catalogue::{ChipSpec, twin};
use crate::sim::{PlannedFault, SimBus, SimClock, World};

/// A bus of any kind, as drivers get it.
pub type DynBus = dyn I2c<Error = BusError> + Send;

/// Why a transfer failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// Nobody acknowledged the address, or the chip refused a byte.
    #[error("not acknowledged")]
    Nack,
    /// The bus took too long: a chip holds the clock, or the lines are short-circuited.
    #[error("timed out")]
    Timeout,
    /// A kernel driver owns the chip at this address.
    #[error("a kernel driver owns this address")]
    Busy,
    /// The bus itself has gone, as when a USB adapter is pulled out.
    #[error("the bus is not there any more")]
    Absent,
    /// Anything else, in the system's words.
    #[error("{0}")]
    Io(String),
}

impl embedded_hal::i2c::Error for BusError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Nack => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Self::Absent | Self::Busy => ErrorKind::Bus,
            Self::Timeout | Self::Io(_) => ErrorKind::Other,
        }
    }
}

/// A bus as a user names it: `pi:1`, `sim`, `sim:42` or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusSpec {
    /// `pi:N`: the kernel's `/dev/i2c-N`.
    Pi(u8),
    /// `sim` or `sim:SEED`: simulated chips in a world out of this seed.
    Sim(u64),
    /// `none`: no bus at all.
    None,
}

/// The world that `sim` means.
const DEFAULT_SEED: u64 = 1;

/// A text that names no bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no bus is named `{0}`: write pi:1 (the bus on a Pi's pins 3 and 5), sim, sim:SEED or none")]
pub struct BusSpecError(String);

impl FromStr for BusSpec {
    type Err = BusSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || BusSpecError(text.to_owned());
        match text.split_once(':') {
            None if text == "sim" => Ok(Self::Sim(DEFAULT_SEED)),
            None if text == "none" => Ok(Self::None),
            Some(("pi", number)) => number.parse().map(Self::Pi).map_err(|_| wrong()),
            Some(("sim", seed)) => seed.parse().map(Self::Sim).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for BusSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pi(number) => write!(f, "pi:{number}"),
            Self::Sim(DEFAULT_SEED) => f.write_str("sim"),
            Self::Sim(seed) => write!(f, "sim:{seed}"),
            Self::None => f.write_str("none"),
        }
    }
}

/// Why a bus could not be opened, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no such device.
    #[error(
        "/dev/i2c-{number} is not there ({others}): on a Pi, enable I2C with `sudo raspi-config nonint do_i2c 0`, \
         reboot, and look for it with `ls /dev/i2c-*`"
    )]
    Missing {
        /// The number of the bus.
        number: u8,
        /// Which buses there are, in words.
        others: String,
    },
    /// The user may not open it.
    #[error(
        "/dev/i2c-{number} may not be opened by this user: add the user to the group i2c with \
         `sudo usermod -aG i2c $USER`, and log in again"
    )]
    Denied {
        /// The number of the bus.
        number: u8,
    },
    /// The system says something else.
    #[error("/dev/i2c-{number} cannot be opened: {why}")]
    Io {
        /// The number of the bus.
        number: u8,
        /// In the system's words.
        why: String,
    },
    /// The bus is `none`.
    #[error("the bus is `none`, so chips have nothing to be on: name a bus with --bus pi:1 or --bus sim")]
    None,
    /// Two simulated chips have one address.
    #[error("two chips are at {address:#04x} of the simulated bus: give one of them another address")]
    Twice {
        /// The address of both.
        address: u8,
    },
    /// A fault is planned for a chip that is not there.
    #[error(
        "the fault `{fault}` is for a chip that is not on this bus: name one of its chips, as in `{example}`"
    )]
    NoSuchChip {
        /// The fault as written.
        fault: String,
        /// A chip that there is.
        example: String,
    },
}

/// What a simulated bus is made of; buses of other kinds need none of it.
pub struct Simulation<'a> {
    /// The chips on the bus.
    pub chips: &'a [ChipSpec],
    /// What goes wrong with them, and when.
    pub faults: &'a [PlannedFault],
    /// The time, for every transfer.
    pub clock: SimClock,
}

/// Opens the bus that `spec` names.
///
/// # Errors
/// What is missing, and how to get it.
pub fn open(spec: &BusSpec, simulation: Simulation<'_>) -> Result<Box<DynBus>, OpenError> {
    match *spec {
        BusSpec::Pi(number) => bus_rppal::open(number),
        BusSpec::Sim(seed) => Ok(Box::new(simulate(seed, simulation)?)),
        BusSpec::None => Err(OpenError::None),
    }
}

fn simulate(seed: u64, simulation: Simulation<'_>) -> Result<SimBus, OpenError> {
    let mut bus = SimBus::new(World::new(seed), simulation.clock);
    for chip in simulation.chips {
        let (address, chip) = (chip.address(), chip.clone());
        if !bus.add(address, Box::new(move || twin(&chip))) {
            return Err(OpenError::Twice { address });
        }
    }
    for fault in simulation.faults {
        if !simulation.chips.iter().any(|chip| chip.is(&fault.driver, fault.address)) {
            let example =
                simulation.chips.first().map_or_else(|| "sht3x@0x44".to_owned(), ToString::to_string);
            return Err(OpenError::NoSuchChip { fault: fault.to_string(), example });
        }
        bus.plan(fault.clone());
    }
    Ok(bus)
}

#[cfg(test)]
mod tests {
    use embedded_hal::i2c::Error as _;

    use super::*;
    use crate::chip::{ChipError, Fault};
    use crate::sim::SimTime;

    fn simulation<'a>(chips: &'a [ChipSpec], faults: &'a [PlannedFault]) -> Simulation<'a> {
        Simulation { chips, faults, clock: Box::new(SimTime::default) }
    }

    #[test]
    fn buses_are_named_and_print_as_they_are_named() {
        for (text, spec) in [
            ("pi:1", BusSpec::Pi(1)),
            ("sim", BusSpec::Sim(1)),
            ("sim:42", BusSpec::Sim(42)),
            ("none", BusSpec::None),
        ] {
            assert_eq!(text.parse(), Ok(spec));
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_bus_is_refused_with_what_would() {
        for text in ["", "pi", "pi:", "pi:256", "pi:x", "sim:", "sim:-1", "none:1", "i2c-1", "/dev/i2c-1"] {
            let error = text.parse::<BusSpec>().unwrap_err().to_string();
            assert!(error.contains("pi:1") && error.contains("sim:SEED"), "{text}: {error}");
        }
    }

    #[test]
    fn errors_mean_the_faults_that_a_reading_can_have() {
        for (error, fault) in [
            (BusError::Nack, Fault::Nack),
            (BusError::Timeout, Fault::Timeout),
            (BusError::Busy, Fault::Absent),
            (BusError::Absent, Fault::Absent),
            (BusError::Io("odd".into()), Fault::Timeout),
        ] {
            assert_eq!(
                ChipError::bus("status")(error.clone()).fault,
                fault,
                "{error:?} of kind {:?}",
                error.kind()
            );
        }
    }

    #[test]
    fn no_bus_and_a_missing_bus_say_what_to_do() {
        let none = open(&BusSpec::None, simulation(&[], &[])).err().unwrap();
        assert!(none.to_string().contains("--bus pi:1"));
        let missing = open(&BusSpec::Pi(251), simulation(&[], &[])).err().unwrap();
        assert!(matches!(missing, OpenError::Missing { number: 251, .. }), "{missing:?}");
        assert!(missing.to_string().contains("sudo raspi-config nonint do_i2c 0"), "{missing}");
    }

    #[test]
    fn a_simulated_bus_has_its_chips_and_nothing_else() {
        let chips = ["sht3x@0x44".parse().unwrap()];
        let mut bus = open(&BusSpec::Sim(1), simulation(&chips, &[])).unwrap();
        assert_eq!(bus.write(0x44, &[0xF3, 0x2D]), Ok(()));
        assert_eq!(bus.write(0x45, &[0xF3, 0x2D]), Err(BusError::Nack));
    }

    #[test]
    fn two_chips_at_one_address_and_faults_for_nobody_are_refused() {
        let chips = ["sht3x@0x44".parse().unwrap(), "sht3x@0x44,interval=1s".parse().unwrap()];
        let twice = open(&BusSpec::Sim(1), simulation(&chips, &[])).err().unwrap();
        assert_eq!(twice, OpenError::Twice { address: 0x44 });
        let faults = ["seesaw@0x36=nack".parse().unwrap()];
        let nobody = open(&BusSpec::Sim(1), simulation(&chips[..1], &faults)).err().unwrap();
        assert!(nobody.to_string().contains("sht3x@0x44"), "{nobody}");
    }
}
