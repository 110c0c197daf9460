//! The I2C buses of this machine: which there are, which are worth a scan, and what is on them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use pisink_sensors::bus::{self, BusError, BusSpec, DynBus, OpenError};
use pisink_sensors::catalogue::ChipSpec;
use pisink_sensors::scan::{self, Found, Verdict};

use crate::cli::sensors;

/// Adapters whose names have one of these belong to a display or to a mainboard: no sensor of a user is there, and the
/// question that finds one is not for what is.
const OTHERS: &[&str] = &[
    "hdmi", "ddc", "aux", "gmbus", "nvidia", "radeon", "amdgpu", // displays of a PC
    "7e805000", "3f805000", "20805000", "ef04500", "ef09500", "107d5082", // HDMI of a Pi 0 to 3, 4, 5
    "smbus",    // memory modules and battery of a PC
];

/// What is simulated where nobody says what: a chip that proves itself, another one, and one that needs a decision.
const SIMULATED: &[&str] = &["sht3x@0x44", "seesaw@0x36", "tmp105@0x48"];

/// A bus of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Adapter {
    /// N of `/dev/i2c-N`.
    pub(super) number: u8,
    /// What the kernel calls it.
    pub(super) name: String,
}

impl Adapter {
    /// Whether it has something else to do than to read sensors.
    fn is_other(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        OTHERS.iter().any(|other| name.contains(other))
    }

    /// The number of the bus that the multiplexer is on, if this is one of a multiplexer's channels: the chips of that
    /// bus answer here too (Documentation/i2c/i2c-topology.rst).
    fn behind(&self) -> Option<u8> {
        self.name.strip_prefix("i2c-")?.split_once("-mux")?.0.parse().ok()
    }
}

/// All adapters below `root` (`/`, except in tests), by number.
pub(super) fn adapters(root: &Path) -> Vec<Adapter> {
    let entries = fs::read_dir(root.join("dev")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u8> = names.filter_map(|name| name.strip_prefix("i2c-")?.parse().ok()).collect();
    numbers.sort_unstable();
    let named = |number| {
        let path = root.join(format!("sys/class/i2c-dev/i2c-{number}/name"));
        let name = fs::read_to_string(path).unwrap_or_default();
        Adapter { number, name: name.trim().chars().filter(|c| !c.is_control()).collect() }
    };
    numbers.into_iter().map(named).collect()
}

/// A bus that was scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Which.
    pub(super) bus: BusSpec,
    /// What is on it, by address, or why that cannot be known.
    pub(super) found: Result<Vec<Found>, String>,
}

impl Scanned {
    /// What is on it; nothing where that cannot be known.
    pub(super) fn chips(&self) -> &[Found] {
        self.found.as_deref().unwrap_or_default()
    }
}

/// What all buses together have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// The buses that were scanned, in the order of their numbers.
    pub(super) scanned: Vec<Scanned>,
    /// Those that were not, because they are a display's or a mainboard's.
    pub(super) passed_over: Vec<Adapter>,
}

impl Survey {
    /// The bus that chips are on unless they say otherwise: the first with any, else the first.
    pub(super) fn main_bus(&self) -> Option<BusSpec> {
        let with_chips =
            self.scanned.iter().find(|scanned| scanned.chips().iter().any(|found| is_known(&found.verdict)));
        with_chips.or(self.scanned.first()).map(|scanned| scanned.bus)
    }
}

fn is_known(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Identified { .. } | Verdict::Probable { .. })
}

/// How a bus is opened.
pub(super) type Open<'a> = &'a mut dyn FnMut(&BusSpec) -> Result<Box<DynBus>, OpenError>;

/// Opens a bus as it is; a simulated one has `chips`, or a few for show.
pub(super) fn open(spec: &BusSpec, chips: &[ChipSpec]) -> Result<Box<DynBus>, OpenError> {
    let given = chips.iter().filter(|chip| chip.bus().is_none_or(|bus| bus == *spec)).cloned();
    let mut chips: Vec<ChipSpec> = given.collect();
    if chips.is_empty() {
        chips = SIMULATED.iter().filter_map(|chip| chip.parse().ok()).collect();
    }
    bus::open(spec, sensors::simulation(&chips, &[]))
}

/// Scans the bus that the user names.
///
/// # Errors
/// It cannot be opened.
pub(super) fn scan_one(spec: BusSpec, open: Open<'_>) -> Result<Survey> {
    let found = scan(open(&spec)?.as_mut());
    Ok(Survey { scanned: vec![Scanned { bus: spec, found }], passed_over: Vec::new() })
}

/// Scans all of `adapters` that may have sensors.
///
/// # Errors
/// The user may open none: nothing can be known then.
pub(super) fn scan_all(adapters: &[Adapter], open: Open<'_>) -> Result<Survey> {
    let mut survey = Survey::default();
    let (behind, before): (Vec<_>, Vec<_>) = adapters.iter().partition(|adapter| adapter.behind().is_some());
    for adapter in before.into_iter().chain(behind) {
        if adapter.is_other() {
            survey.passed_over.push(adapter.clone());
            continue;
        }
        let spec = BusSpec::Pi(adapter.number);
        let found = match open(&spec) {
            Ok(mut bus) => scan(bus.as_mut()),
            // It is the same for all of them.
            Err(error @ OpenError::Denied { .. }) => {
                return Err(error).context("what is on the buses cannot be seen (--bus none does not look)");
            }
            Err(error) => Err(error.to_string()),
        };
        let behind = adapter.behind().map(BusSpec::Pi);
        let before = survey.scanned.iter().find(|scanned| Some(scanned.bus) == behind);
        let found = found.map(|found| without(found, before));
        survey.scanned.push(Scanned { bus: spec, found });
    }
    survey.scanned.sort_by_key(|scanned| scanned.bus);
    Ok(survey)
}

fn scan(bus: &mut DynBus) -> Result<Vec<Found>, String> {
    scan::scan(bus, &mut sensors::pause).map_err(|error| match error {
        BusError::Timeout => {
            "its lines do not work: a chip holds one, or wiring or a pull-up is wrong".to_owned()
        }
        error => error.to_string(),
    })
}

/// What is on a multiplexer's channel and not already before the multiplexer.
fn without(found: Vec<Found>, before: Option<&Scanned>) -> Vec<Found> {
    let known = before.map(Scanned::chips).unwrap_or_default();
    found.into_iter().filter(|one| !known.iter().any(|other| other.address == one.address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(adapters: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("dev")).unwrap();
        for name in ["i2c", "tty1", "i2c-300", "i2c-x"] {
            fs::write(root.path().join("dev").join(name), "").unwrap();
        }
        for (device, name) in adapters {
            fs::write(root.path().join("dev").join(device), "").unwrap();
            let sys = root.path().join("sys/class/i2c-dev").join(device);
            fs::create_dir_all(&sys).unwrap();
            fs::write(sys.join("name"), format!("{name}\n")).unwrap();
        }
        root
    }

    /// A simulated bus for each number that has chips here.
    fn simulated<'a>(
        chips: &'a [(u8, &'a [&'a str])],
    ) -> impl FnMut(&BusSpec) -> Result<Box<DynBus>, OpenError> + 'a {
        move |spec| {
            let BusSpec::Pi(number) = *spec else { return Err(OpenError::None) };
            let Some((_, chips)) = chips.iter().find(|(one, _)| *one == number) else {
                return Err(OpenError::Denied { number });
            };
            let chips: Vec<ChipSpec> = chips.iter().map(|chip| chip.parse().unwrap()).collect();
            bus::open(&BusSpec::Sim(1), sensors::simulation(&chips, &[]))
        }
    }

    fn addresses(survey: &Survey) -> Vec<(String, Vec<u8>)> {
        let one = |scanned: &Scanned| {
            (scanned.bus.to_string(), scanned.chips().iter().map(|found| found.address).collect())
        };
        survey.scanned.iter().map(one).collect()
    }

    #[test]
    fn buses_are_found_by_number_with_their_names() {
        let root = machine(&[("i2c-20", "fef04500.i2c"), ("i2c-1", "bcm2835 (i2c@7e804000)")]);
        let found: Vec<(u8, String)> =
            adapters(root.path()).into_iter().map(|adapter| (adapter.number, adapter.name)).collect();
        assert_eq!(found, [(1, "bcm2835 (i2c@7e804000)".to_owned()), (20, "fef04500.i2c".to_owned())]);
        assert_eq!(adapters(Path::new("/nowhere")), []);
    }

    #[test]
    fn displays_and_mainboards_are_passed_over() {
        let other = |name: &str| Adapter { number: 2, name: name.to_owned() }.is_other();
        for name in [
            "bcm2835 (i2c@7e805000)",
            "fef09500.i2c",
            "107d508200.i2c",
            "i915 gmbus dpb",
            "SMBus I801 adapter",
        ] {
            assert!(other(name), "{name}");
        }
        for name in [
            "bcm2835 (i2c@7e804000)",
            "Synopsys DesignWare I2C adapter",
            "i2c-1-mux (chan_id 0)",
            "MCP2221 usb-i2c bridge",
            "",
        ] {
            assert!(!other(name), "{name}");
        }
    }

    #[test]
    fn every_bus_is_scanned_and_what_is_before_a_multiplexer_is_not_counted_behind_it() {
        let root = machine(&[
            ("i2c-1", "bcm2835 (i2c@7e804000)"),
            ("i2c-3", "i2c-1-mux (chan_id 0)"),
            ("i2c-20", "fef04500.i2c"),
        ]);
        let chips: [(u8, &[&str]); 2] = [(1, &["sht3x@0x44"]), (3, &["sht3x@0x44", "seesaw@0x36"])];
        let survey = scan_all(&adapters(root.path()), &mut simulated(&chips)).unwrap();
        assert_eq!(addresses(&survey), [("pi:1".to_owned(), vec![0x44]), ("pi:3".to_owned(), vec![0x36])]);
        assert_eq!(survey.passed_over.iter().map(|adapter| adapter.number).collect::<Vec<_>>(), [20]);
        assert_eq!(survey.main_bus(), Some(BusSpec::Pi(1)));

        let chips: [(u8, &[&str]); 2] = [(1, &[]), (3, &["seesaw@0x36"])];
        let survey = scan_all(&adapters(root.path()), &mut simulated(&chips)).unwrap();
        assert_eq!(survey.main_bus(), Some(BusSpec::Pi(3)), "the first with chips");
    }

    #[test]
    fn a_bus_that_may_not_be_opened_is_an_error_with_a_way_round() {
        let root = machine(&[("i2c-1", "bcm2835 (i2c@7e804000)")]);
        let why = format!("{:#}", scan_all(&adapters(root.path()), &mut simulated(&[])).unwrap_err());
        assert!(why.contains("usermod -aG i2c") && why.contains("--bus none"), "{why}");
    }

    #[test]
    fn a_simulated_bus_has_a_chip_of_each_sort() {
        let survey = scan_one(BusSpec::Sim(1), &mut |spec| open(spec, &[])).unwrap();
        let is_proved = |found: &Found| matches!(found.verdict, Verdict::Identified { .. });
        let is_open =
            |found: &Found| matches!(&found.verdict, Verdict::Probable { drivers } if drivers.len() > 1);
        let found = survey.scanned[0].chips();
        assert_eq!(found.len(), SIMULATED.len());
        assert!(found.iter().any(is_proved) && found.iter().any(is_open), "{found:?}");
    }
}
