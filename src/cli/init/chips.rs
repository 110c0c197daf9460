//! From what was found on the buses to the chips of a config. What is proved or has one driver is measured; where there
//! is a choice, somebody has to choose.

use std::collections::BTreeMap;

use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::{self, ChipSpec};
use pisink_sensors::scan::{Found, Verdict};

use super::buses::Survey;
use super::text::ChipLine;

/// A place that a chip can be at.
pub(super) type At = (BusSpec, u8);

/// A chip that several drivers can be meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Where it is.
    pub(super) at: At,
    /// The drivers, likeliest first.
    pub(super) drivers: Vec<&'static str>,
}

/// The chips of one node: what was found, what was given, and what was chosen.
pub(super) struct Chips<'a> {
    survey: &'a Survey,
    given: &'a [ChipSpec],
    main_bus: Option<BusSpec>,
    chosen: BTreeMap<At, &'static str>,
}

impl<'a> Chips<'a> {
    /// What `survey` found; a chip that the user gave beforehand stands as given, found or not.
    pub(super) fn new(survey: &'a Survey, given: &'a [ChipSpec]) -> Self {
        Self { survey, given, main_bus: survey.main_bus(), chosen: BTreeMap::new() }
    }

    /// The bus that chips are on unless they say otherwise.
    pub(super) fn main_bus(&self) -> Option<BusSpec> {
        self.main_bus
    }

    /// What nobody has decided.
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let doubt = |(at, found): (At, &Found)| match &found.verdict {
            Verdict::Probable { drivers } if drivers.len() > 1 && !self.is_decided(at) => {
                Some(Doubt { at, drivers: drivers.clone() })
            }
            _ => None,
        };
        self.found().filter_map(doubt).collect()
    }

    /// Decides a doubt.
    pub(super) fn choose(&mut self, at: At, driver: &'static str) {
        self.chosen.insert(at, driver);
    }

    /// All of it, as the list of chips in a config: what was given, then what was found, by bus and address.
    pub(super) fn lines(&self) -> Vec<ChipLine> {
        let mut lines: Vec<ChipLine> = self.given.iter().map(|chip| self.given_line(chip)).collect();
        for (at, found) in self.found().filter(|(at, _)| self.given_at(*at).is_none()) {
            lines.extend(self.found_lines(at, found));
        }
        lines
    }

    fn found(&self) -> impl Iterator<Item = (At, &'a Found)> {
        let of_one = |scanned: &'a super::buses::Scanned| {
            scanned.chips().iter().map(|found| ((scanned.bus, found.address), found))
        };
        self.survey.scanned.iter().flat_map(of_one)
    }

    fn is_decided(&self, at: At) -> bool {
        self.chosen.contains_key(&at) || self.given_at(at).is_some()
    }

    fn given_at(&self, at: At) -> Option<&ChipSpec> {
        self.given.iter().find(|chip| self.place(chip) == at)
    }

    fn place(&self, chip: &ChipSpec) -> At {
        (chip.bus().or(self.main_bus).unwrap_or(BusSpec::Pi(1)), chip.address())
    }

    fn given_line(&self, chip: &ChipSpec) -> ChipLine {
        let at = self.place(chip);
        let was_looked_for =
            self.survey.scanned.iter().any(|scanned| scanned.bus == at.0 && scanned.found.is_ok());
        let note = match self.found().find(|(other, _)| *other == at) {
            Some((_, found)) => format!("as given; found: {}", found.verdict),
            None if was_looked_for => "as given; nothing was found there".to_owned(),
            None => "as given".to_owned(),
        };
        ChipLine::On { chip: chip.to_string(), note }
    }

    fn found_lines(&self, at: At, found: &Found) -> Vec<ChipLine> {
        let on = |driver: &str, why: String| {
            vec![ChipLine::On { chip: self.spec(at, driver), note: format!("{why}{}", options(driver)) }]
        };
        let place = self.place_name(at);
        match &found.verdict {
            Verdict::Identified { driver, .. } => on(driver, found.verdict.to_string()),
            Verdict::Probable { drivers } => match (self.chosen.get(&at), drivers.as_slice()) {
                (Some(driver), _) => on(driver, format!("chosen among {}", drivers.join(", "))),
                (None, [driver]) => on(driver, found.verdict.to_string()),
                (None, _) => {
                    let note = format!("{place}: {}; take the # from the right one", found.verdict);
                    let off = drivers.iter().map(|driver| ChipLine::Off { chip: self.spec(at, driver) });
                    std::iter::once(ChipLine::Note(note)).chain(off).collect()
                }
            },
            Verdict::Busy | Verdict::Unknown => vec![ChipLine::Note(format!("{place}: {}", found.verdict))],
        }
    }

    /// The chip as a config names it.
    fn spec(&self, at: At, driver: &str) -> String {
        match self.main_bus {
            Some(bus) if bus == at.0 => format!("{driver}@{:#04x}", at.1),
            _ => format!("{}/{driver}@{:#04x}", at.0, at.1),
        }
    }

    /// The place in words.
    fn place_name(&self, at: At) -> String {
        match self.main_bus {
            Some(bus) if bus == at.0 => format!("{:#04x}", at.1),
            _ => format!("{:#04x} of {}", at.1, at.0),
        }
    }
}

/// The options that a driver has, for somebody who does not know that it has any.
fn options(driver: &str) -> String {
    let names: Vec<&str> =
        catalogue::find(driver).iter().flat_map(|row| row.options).map(|option| option.name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; has options: {} (see `pisink sensors list`)", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::buses::Scanned;
    use super::*;

    fn survey() -> Survey {
        let found = |address, verdict| Found { address, verdict };
        let first = vec![
            found(0x44, Verdict::Identified { driver: "sht3x", by: "status CRC" }),
            found(0x48, Verdict::Probable { drivers: vec!["tmp105", "lm75"] }),
            found(0x50, Verdict::Unknown),
            found(0x68, Verdict::Busy),
        ];
        let second = vec![
            found(0x49, Verdict::Probable { drivers: vec!["ads1015"] }),
            found(0x4A, Verdict::Probable { drivers: vec!["tmp105", "lm75"] }),
        ];
        let scanned = |number, found| Scanned { bus: BusSpec::Pi(number), found };
        Survey {
            scanned: vec![
                scanned(1, Ok(first)),
                scanned(3, Ok(second)),
                scanned(4, Err("broken".to_owned())),
            ],
            passed_over: Vec::new(),
        }
    }

    fn on(chips: &Chips<'_>) -> Vec<String> {
        let lines = chips.lines().into_iter().filter_map(|line| match line {
            ChipLine::On { chip, .. } => Some(chip),
            _ => None,
        });
        lines.collect()
    }

    #[test]
    fn what_has_no_doubt_is_on_and_all_else_is_told() {
        let survey = survey();
        let chips = Chips::new(&survey, &[]);
        assert_eq!(chips.main_bus(), Some(BusSpec::Pi(1)));
        assert_eq!(on(&chips), ["sht3x@0x44", "pi:3/ads1015@0x49"]);
        let lines = chips.lines();
        let off: Vec<&str> = lines
            .iter()
            .filter_map(|line| match line {
                ChipLine::Off { chip } => Some(chip.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(off, ["tmp105@0x48", "lm75@0x48", "pi:3/tmp105@0x4a", "pi:3/lm75@0x4a"]);
        let all = format!("{lines:?}");
        for words in
            ["0x50: unknown", "0x68: in use", "by status CRC", "has options: ain0", "0x4a of pi:3: probably"]
        {
            assert!(all.contains(words), "no word of {words:?}: {all}");
        }
    }

    #[test]
    fn a_doubt_ends_by_a_choice_or_by_what_was_given() {
        let survey = survey();
        let mut chips = Chips::new(&survey, &[]);
        assert_eq!(chips.doubts().iter().map(|doubt| doubt.at.1).collect::<Vec<_>>(), [0x48, 0x4A]);
        chips.choose((BusSpec::Pi(1), 0x48), "lm75");
        assert_eq!(chips.doubts().len(), 1);
        assert_eq!(on(&chips), ["sht3x@0x44", "lm75@0x48", "pi:3/ads1015@0x49"]);

        let given = ["tmp102@0x48,interval=5s", "pi:3/tmp105@0x4a", "pi:4/bh1750@0x23", "seesaw@0x36"];
        let given = given.map(|chip| chip.parse::<ChipSpec>().unwrap());
        let chips = Chips::new(&survey, &given);
        assert_eq!(chips.doubts(), []);
        assert_eq!(on(&chips)[4..], ["sht3x@0x44", "pi:3/ads1015@0x49"]);
        assert_eq!(on(&chips)[..2], ["tmp102@0x48,interval=5s", "pi:3/tmp105@0x4a"]);
        let all = format!("{:?}", chips.lines());
        assert!(all.contains("as given; found: probably tmp105 or lm75"), "{all}");
        assert_eq!(
            all.matches("nothing was found there").count(),
            1,
            "what could not be scanned may be there: {all}"
        );
    }

    #[test]
    fn without_a_bus_chips_are_as_given() {
        let survey = Survey::default();
        let given = ["sht3x@0x44".parse::<ChipSpec>().unwrap()];
        let chips = Chips::new(&survey, &given);
        assert_eq!((chips.main_bus(), on(&chips)), (None, vec!["sht3x@0x44".to_owned()]));
    }
}
