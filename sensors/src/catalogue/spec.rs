//! How a user names one chip: `[BUS/]DRIVER@ADDRESS[,option=value]*`, as in `sht3x@0x44`,
//! `ads1015@0x48,ain0=anemometer` or `pi:3/tmp102@0x48,interval=10s`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::{DRIVERS, Driver, build, find};
use crate::bus::{BusSpec, BusSpecError};

/// The addresses that chips can have; the others are reserved (UM10204, section 3.1.12).
pub(crate) const CHIP_ADDRESSES: RangeInclusive<u8> = 0x08..=0x77;

/// No chip is measured more often than this.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// How alike (Jaro-Winkler) a name has to be to be meant by a misspelt one, and how many such names are told.
const NEAR: f64 = 0.75;
const MAX_NEAR: usize = 4;

/// One chip: a driver, an address, and what else the user wants of it. One that has been read can be built.
#[derive(Clone)]
pub struct ChipSpec {
    bus: Option<BusSpec>,
    row: &'static Driver,
    address: u8,
    interval: Option<Duration>,
    options: BTreeMap<&'static str, &'static str>,
}

/// A text that names no chip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is not of the form.
    #[error(
        "`{0}` names no chip: write DRIVER@ADDRESS, as in sht3x@0x44; `pisink sensors list` has all drivers"
    )]
    Form(String),
    /// The bus before the slash is none.
    #[error(transparent)]
    Bus(#[from] BusSpecError),
    /// There is no such driver.
    #[error("there is no driver `{name}`: {hint}")]
    Driver {
        /// As written.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// The address is no number.
    #[error("`{0}` is no I2C address: write it in hexadecimal, as in 0x44")]
    Number(String),
    /// No chip can have this address.
    #[error("no chip can be at {0:#04x}: addresses go from 0x08 to 0x77")]
    Reserved(u8),
    /// This chip cannot have this address.
    #[error("{driver} cannot be at {address:#04x}: it can be at {legal}")]
    Address {
        /// The driver.
        driver: &'static str,
        /// As written.
        address: u8,
        /// Where it can be.
        legal: String,
    },
    /// The driver has no such option.
    #[error("{driver} has no option `{option}`: it has {legal}")]
    Option {
        /// The driver.
        driver: &'static str,
        /// As written.
        option: String,
        /// What it has.
        legal: String,
    },
    /// The option cannot have this value.
    #[error("`{value}` is no value for {option}: write {legal}")]
    Value {
        /// The option.
        option: String,
        /// As written.
        value: String,
        /// What it can be.
        legal: String,
    },
    /// An option is given twice.
    #[error("{0} is given twice: leave one of them out")]
    Twice(String),
    /// With these options it measures nothing.
    #[error("{0} has all inputs off, so it measures nothing: leave one of them on")]
    Nothing(&'static str),
}

impl ChipSpec {
    /// The bus, where the user names one for this chip.
    pub fn bus(&self) -> Option<BusSpec> {
        self.bus
    }

    /// The name of the driver.
    pub fn driver(&self) -> &'static str {
        self.row.name
    }

    /// The driver's row in the table.
    pub fn row(&self) -> &'static Driver {
        self.row
    }

    /// The address on the bus.
    pub fn address(&self) -> u8 {
        self.address
    }

    /// The time from one measurement to the next, where the user gives one for this chip.
    pub fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// The value of `option`, its default if the user gives none, and nothing if the driver has no such option.
    pub fn option(&self, option: &str) -> Option<&'static str> {
        let known = self.row.options.iter().find(|known| known.name == option)?;
        self.options.get(option).or(known.values.first()).copied()
    }

    /// The chip's name in channels, as in `sht3x-44`.
    pub fn name(&self) -> String {
        format!("{}-{:02x}", self.row.name, self.address)
    }

    /// The chip's name in channels where chips on several buses would bear one name, as in `sht3x-44-pi3`.
    pub fn name_on(&self, bus: &BusSpec) -> String {
        format!("{}-{}", self.name(), bus.to_string().replace(':', ""))
    }

    /// Whether this is the chip that `driver` (or an alias of it) and `address` mean.
    pub fn is(&self, driver: &str, address: u8) -> bool {
        self.address == address && find(driver).is_some_and(|row| row.name == self.row.name)
    }
}

impl FromStr for ChipSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (bus, chip) = match text.split_once('/') {
            Some((bus, chip)) => (Some(bus.parse()?), chip),
            None => (None, text),
        };
        let mut parts = chip.split(',');
        let (driver, address) = parts
            .next()
            .and_then(|chip| chip.split_once('@'))
            .ok_or_else(|| SpecError::Form(text.to_owned()))?;
        let row = find(driver).ok_or_else(|| unknown_driver(driver))?;
        let address = legal_address(row, address)?;
        let mut spec = Self { bus, row, address, interval: None, options: BTreeMap::new() };
        for option in parts {
            let (option, value) = option.split_once('=').ok_or_else(|| SpecError::Form(text.to_owned()))?;
            spec.set(option, value)?;
        }
        build(&spec)?;
        Ok(spec)
    }
}

impl ChipSpec {
    fn set(&mut self, option: &str, value: &str) -> Result<(), SpecError> {
        if option == "interval" {
            let interval = parse_interval(value)?;
            return match self.interval.replace(interval) {
                Some(_) => Err(SpecError::Twice(option.to_owned())),
                None => Ok(()),
            };
        }
        let known = self.row.options.iter().find(|known| known.name == option).ok_or_else(|| {
            let names = self.row.options.iter().map(|known| known.name);
            let legal = list(names.chain(["interval"]));
            SpecError::Option { driver: self.row.name, option: option.to_owned(), legal }
        })?;
        let value = known.values.iter().find(|known| **known == value).ok_or_else(|| SpecError::Value {
            option: option.to_owned(),
            value: value.to_owned(),
            legal: list(known.values.iter().copied()),
        })?;
        match self.options.insert(known.name, value) {
            Some(_) => Err(SpecError::Twice(option.to_owned())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ChipSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bus) = self.bus {
            write!(f, "{bus}/")?;
        }
        write!(f, "{}@{:#04x}", self.row.name, self.address)?;
        for (option, value) in &self.options {
            write!(f, ",{option}={value}")?;
        }
        match self.interval {
            Some(interval) => write!(f, ",interval={interval:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ChipSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChipSpec({self})")
    }
}

impl PartialEq for ChipSpec {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ChipSpec {}

/// The number that `text` writes in hexadecimal, as in `0x44`.
pub fn parse_address(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)
}

fn legal_address(row: &Driver, text: &str) -> Result<u8, SpecError> {
    let address = parse_address(text).ok_or_else(|| SpecError::Number(text.to_owned()))?;
    if !CHIP_ADDRESSES.contains(&address) {
        return Err(SpecError::Reserved(address));
    }
    if row.addresses.contains(&address) {
        return Ok(address);
    }
    let legal = list(row.addresses.iter().map(|address| format!("{address:#04x}")));
    Err(SpecError::Address { driver: row.name, address, legal })
}

fn parse_interval(text: &str) -> Result<Duration, SpecError> {
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| *time >= MIN_INTERVAL).ok_or_else(|| SpecError::Value {
        option: "interval".to_owned(),
        value: text.to_owned(),
        legal: format!("a time of {MIN_INTERVAL:?} or more, as in 10s or 500ms"),
    })
}

fn unknown_driver(name: &str) -> SpecError {
    let lower = name.to_ascii_lowercase();
    let names = DRIVERS.iter().flat_map(|row| std::iter::once(row.name).chain(row.aliases.iter().copied()));
    let mut near: Vec<(f64, &str)> =
        names.map(|known| (strsim::jaro_winkler(&lower, known), known)).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR);
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let hint = if near.is_empty() {
        format!("there are {}", list(DRIVERS.iter().map(|row| row.name)))
    } else {
        format!("near it are {}", list(near.into_iter().take(MAX_NEAR).map(|(_, known)| known)))
    };
    SpecError::Driver { name: name.to_owned(), hint }
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
