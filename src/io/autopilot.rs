//! A node's part in Autopilot's network: what its settings say of it, and how a node senses when a station tells it to
//! begin, to stop, or to do it otherwise. What a command changes holds until the node is started again.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use pisink_sensors::bus::BusSpec;
use pisink_sensors::catalogue::ChipSpec;
use serde_json::{Value as Json, json};

use super::settings::{BusSettings, Settings};
use crate::model::Commands;
use crate::proto::{AboveConfig, StationConfig};

/// A message of a station without a receipt is sent again after this, as Autopilot has it.
const REPEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Shortest interval that a command may ask for.
const INTERVAL_LEAST: Duration = Duration::from_millis(10);

/// A node's part in Autopilot's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutopilotSettings {
    /// What it is called there.
    pub id: String,
    /// The station above, if it is a pilot's.
    pub above: Option<AboveConfig>,
    /// The folder of the files that are given and taken; without one there are none.
    pub files: Option<PathBuf>,
}

impl Default for AutopilotSettings {
    fn default() -> Self {
        Self { id: "T".to_owned(), above: None, files: None }
    }
}

/// What the station is made of.
pub(crate) fn station(settings: &Settings, allow: Commands, seed: u64) -> StationConfig {
    let AutopilotSettings { id, above, .. } = &settings.autopilot;
    let chips: Vec<String> =
        settings.buses.iter().flat_map(|bus| &bus.chips).map(ToString::to_string).collect();
    let prefs = json!({
        "NAME": id,
        "IP": above.as_ref().and_then(|above| own_address(&above.address)),
        "NODE": settings.name.as_str(),
        "ROLE": settings.role.name(),
        "INTERVAL_S": settings.interval.as_secs_f64(),
        "CHIPS": chips,
        "VERSION": env!("CARGO_PKG_VERSION"),
    });
    let state = Sampling::default().state().to_owned();
    StationConfig {
        id: id.clone(),
        state,
        above: above.clone(),
        repeat_interval: REPEAT_INTERVAL,
        allow,
        prefs,
        seed,
    }
}

/// By which address this machine would reach another. Nothing is sent to find that out.
fn own_address(address: &str) -> Option<String> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(address).ok()?;
    Some(socket.local_addr().ok()?.ip().to_string())
}

/// How a node senses otherwise than its settings say, by a station's command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sampling {
    is_stopped: bool,
    interval: Option<Duration>,
    chips: Option<Vec<ChipSpec>>,
}

impl Sampling {
    /// What it says of itself.
    pub(crate) fn state(&self) -> &'static str {
        if self.is_stopped { "IDLE" } else { "RUNNING" }
    }

    /// The same, begun.
    pub(crate) fn started(self) -> Self {
        Self { is_stopped: false, ..self }
    }

    /// The same, stopped.
    pub(crate) fn stopped(self) -> Self {
        Self { is_stopped: true, ..self }
    }

    /// The same with `interval` (`"5s"`, or a number of seconds) and `chips` (`["sht3x@0x44", ...]`) of a command's
    /// value, where it has them.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn changed(mut self, value: &Json) -> Result<Self, String> {
        if let Some(interval) = value.get("interval") {
            self.interval = Some(duration(interval)?);
        }
        match value.get("chips") {
            None | Some(Json::Null) => {}
            Some(Json::Array(list)) => {
                let chip = |chip: &Json| {
                    let text = chip.as_str().unwrap_or_default();
                    text.parse::<ChipSpec>().map_err(|why| format!("chips: {text:?}: {why}"))
                };
                self.chips = Some(list.iter().map(chip).collect::<Result<_, _>>()?);
            }
            Some(_) => return Err("chips: a list of chips is wanted, as in [\"sht3x@0x44\"]".to_owned()),
        }
        Ok(self)
    }

    /// Settings as they are when sensing is like this.
    pub(crate) fn applied(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        if self.is_stopped {
            settings.buses.clear();
            settings.host = false;
            return settings;
        }
        if let Some(interval) = self.interval {
            settings.interval = interval;
        }
        if let Some(chips) = &self.chips {
            settings.buses = buses(&settings.buses, chips);
        }
        settings
    }
}

/// Each chip on the bus that it names, or on the first one.
fn buses(known: &[BusSettings], chips: &[ChipSpec]) -> Vec<BusSettings> {
    let first = known.first().map_or(BusSpec::Pi(1), |bus| bus.bus);
    let mut buses: Vec<BusSettings> = Vec::new();
    for chip in chips {
        let bus = chip.bus().unwrap_or(first);
        let faults = known.iter().find(|known| known.bus == bus).map(|known| known.faults.clone());
        match buses.iter_mut().find(|known| known.bus == bus) {
            Some(known) => known.chips.push(chip.clone()),
            None => {
                buses.push(BusSettings {
                    bus,
                    chips: vec![chip.clone()],
                    faults: faults.unwrap_or_default(),
                });
            }
        }
    }
    buses
}

fn duration(value: &Json) -> Result<Duration, String> {
    let wrong = || format!("interval: {value} is none; write seconds as a number, or a text like \"500ms\"");
    let interval = match value {
        Json::Number(seconds) => {
            let seconds = seconds.as_f64().ok_or_else(wrong)?;
            Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?
        }
        Json::String(text) => {
            let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
            Duration::try_from(span).map_err(|_| wrong())?
        }
        _ => return Err(wrong()),
    };
    if interval < INTERVAL_LEAST {
        return Err(format!("interval: {INTERVAL_LEAST:?} is the shortest"));
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_changes_what_it_names_and_nothing_else() {
        let first = Sampling::default().changed(&json!({"interval": "500ms", "subject": "x"})).unwrap();
        assert_eq!(first.interval, Some(Duration::from_millis(500)));
        let second = first.clone().changed(&json!({"chips": ["sht3x@0x44"]})).unwrap();
        assert_eq!((second.interval, second.chips.as_ref().unwrap().len()), (first.interval, 1));
        assert_eq!(
            second.clone().changed(&json!({"interval": 2})).unwrap().interval,
            Some(Duration::from_secs(2))
        );
        assert_eq!(second.stopped().state(), "IDLE");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (value, why) in [
            (json!({"interval": "soon"}), "interval"),
            (json!({"interval": -1}), "interval"),
            (json!({"interval": 1e300}), "interval"),
            (json!({"interval": "1ms"}), "shortest"),
            (json!({"interval": []}), "interval"),
            (json!({"chips": "sht3x@0x44"}), "list"),
            (json!({"chips": [7]}), "chips"),
            (json!({"chips": ["nothing@0x99"]}), "nothing@0x99"),
        ] {
            let said = Sampling::default().changed(&value).unwrap_err();
            assert!(said.contains(why), "{value}: {said}");
        }
    }
}
