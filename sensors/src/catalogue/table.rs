//! The table itself. Where drivers share an address, their rows stand in the order in which a scan may try them: pure
//! reads before anything that a stranger could take for a command.

use std::time::Duration;

use super::{ChipSpec, Driver, DriverOption, DynChip, Finding, SpecError};
use crate::bus::{BusError, DynBus};
use crate::chips::ads1x15::{Ads1x15, Input, Part};
use crate::chips::{ads1x15, aht20, bh1750, bme280, lm75, mcp9808, seesaw, sht3x, sht4x, tmp117};
use crate::sim;

const TEMPERATURE: (&str, &str) = ("temperature", "Cel");
const HUMIDITY: (&str, &str) = ("humidity", "%RH");
const PRESSURE: (&str, &str) = ("pressure", "Pa");

/// Every driver that there is.
pub static DRIVERS: &[Driver] = &[
    Driver {
        name: "sht3x",
        aliases: &["sht30", "sht31", "sht35"],
        parts: "SHT30, SHT31, SHT35",
        addresses: &[0x44, 0x45],
        quantities: &[TEMPERATURE, HUMIDITY],
        options: &[],
        noisy: true,
        build: |spec| Ok(Box::new(sht3x::Sht3x::new(spec.address()))),
        twin: |_| Box::new(sim::sht3x::Sht3xTwin::new()),
        probe: |bus, address, _| proof(sht3x::probe(bus, address)?, "status CRC"),
    },
    Driver {
        name: "sht4x",
        aliases: &["sht40", "sht41", "sht45"],
        parts: "SHT40, SHT41, SHT45",
        addresses: &[0x44, 0x45, 0x46],
        quantities: &[TEMPERATURE, HUMIDITY],
        options: &[],
        noisy: true,
        build: |spec| Ok(Box::new(sht4x::Sht4x::new(spec.address()))),
        twin: |_| Box::new(sim::sht4x::Sht4xTwin::new()),
        probe: |bus, address, pause| proof(sht4x::probe(bus, address, pause)?, "serial CRC"),
    },
    Driver {
        name: "aht20",
        aliases: &["aht21"],
        parts: "AHT20, AHT21",
        addresses: &[aht20::ADDRESS],
        quantities: &[TEMPERATURE, HUMIDITY],
        options: &[],
        noisy: true,
        build: |_| Ok(Box::new(aht20::Aht20::new())),
        twin: |_| Box::new(sim::aht20::Aht20Twin::new()),
        probe: |bus, _, _| Ok(if aht20::probe(bus)? { Finding::Likely } else { Finding::Possible }),
    },
    Driver {
        name: "seesaw",
        aliases: &["stemma-soil"],
        parts: "Adafruit STEMMA soil sensor 4026",
        addresses: &[0x36, 0x37, 0x38, 0x39],
        quantities: &[("soil_moisture", ""), ("soil_temperature", "Cel")],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(seesaw::Seesaw::new(spec.address()))),
        twin: |_| Box::new(sim::seesaw::SeesawTwin::new()),
        probe: |bus, address, pause| match address {
            // A PCF8574A would take the question for its new outputs.
            0x38 | 0x39 => Ok(Finding::Possible),
            _ => proof(seesaw::probe(bus, address, pause)?, "hardware id 0x55"),
        },
    },
    Driver {
        name: "tmp117",
        aliases: &["tmp119"],
        parts: "TMP117, TMP119",
        addresses: &tmp117::ADDRESSES,
        quantities: &[TEMPERATURE],
        options: &[],
        // Its mean of eight may well rest on one step of 0.008 degrees for minutes.
        noisy: false,
        build: |spec| Ok(Box::new(tmp117::Tmp117::new(spec.address()))),
        twin: |_| Box::new(sim::tmp117::Tmp117Twin::new()),
        probe: |bus, address, _| proof(tmp117::probe(bus, address)?, "device id 0x117"),
    },
    Driver {
        name: "ads1015",
        aliases: &[],
        parts: "ADS1015",
        addresses: ADS_ADDRESSES,
        quantities: ADS_QUANTITIES,
        options: ADS_OPTIONS,
        noisy: false,
        build: |spec| build_ads(Part::Ads1015, spec),
        twin: |spec| Box::new(sim::ads1x15::Ads1x15Twin::new(Part::Ads1015, ads_inputs(spec))),
        probe: probe_ads,
    },
    Driver {
        name: "ads1115",
        aliases: &[],
        parts: "ADS1115",
        addresses: ADS_ADDRESSES,
        quantities: ADS_QUANTITIES,
        options: ADS_OPTIONS,
        noisy: false,
        build: |spec| build_ads(Part::Ads1115, spec),
        twin: |spec| Box::new(sim::ads1x15::Ads1x15Twin::new(Part::Ads1115, ads_inputs(spec))),
        probe: probe_ads,
    },
    Driver {
        name: "tmp102",
        aliases: &[],
        parts: "TMP102",
        addresses: &lm75::ADDRESSES_TMP102,
        quantities: &[TEMPERATURE],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(lm75::Lm75::new(lm75::Part::Tmp102, spec.address()))),
        twin: |_| Box::new(sim::lm75::Lm75Twin::new(lm75::Part::Tmp102)),
        probe: |bus, address, _| {
            Ok(if lm75::looks_like_tmp102(bus, address)? { Finding::Likely } else { Finding::Possible })
        },
    },
    Driver {
        name: "tmp105",
        aliases: &[],
        parts: "TMP105",
        addresses: &lm75::ADDRESSES,
        quantities: &[TEMPERATURE],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(lm75::Lm75::new(lm75::Part::Tmp105, spec.address()))),
        twin: |_| Box::new(sim::lm75::Lm75Twin::new(lm75::Part::Tmp105)),
        probe: |_, _, _| Ok(Finding::Possible),
    },
    Driver {
        name: "lm75",
        aliases: &["lm75a", "lm75b"],
        parts: "LM75, LM75A, LM75B (to half a degree)",
        addresses: &lm75::ADDRESSES,
        quantities: &[TEMPERATURE],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(lm75::Lm75::new(lm75::Part::Lm75, spec.address()))),
        twin: |_| Box::new(sim::lm75::Lm75Twin::new(lm75::Part::Lm75)),
        probe: |_, _, _| Ok(Finding::Possible),
    },
    Driver {
        name: "mcp9808",
        aliases: &[],
        parts: "MCP9808",
        addresses: &mcp9808::ADDRESSES,
        quantities: &[TEMPERATURE],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(mcp9808::Mcp9808::new(spec.address()))),
        twin: |_| Box::new(sim::mcp9808::Mcp9808Twin::new()),
        probe: |bus, address, _| proof(mcp9808::probe(bus, address)?, "manufacturer and device id"),
    },
    Driver {
        name: "bh1750",
        aliases: &["gy-30", "gy-302"],
        parts: "BH1750FVI",
        addresses: &bh1750::ADDRESSES,
        quantities: &[("illuminance", "lx")],
        options: &[],
        noisy: false,
        build: |spec| Ok(Box::new(bh1750::Bh1750::new(spec.address()))),
        twin: |_| Box::new(sim::bh1750::Bh1750Twin::new()),
        probe: |_, _, _| Ok(Finding::Possible),
    },
    Driver {
        name: "bme280",
        aliases: &[],
        parts: "BME280",
        addresses: &bme280::ADDRESSES,
        quantities: &[TEMPERATURE, PRESSURE, HUMIDITY],
        options: &[],
        noisy: true,
        build: |spec| Ok(Box::new(bme280::Bme280::new(bme280::Part::Bme280, spec.address()))),
        twin: |_| Box::new(sim::bme280::Bme280Twin::new(bme280::Part::Bme280)),
        probe: |bus, address, _| proof(bme280::probe(bus, bme280::Part::Bme280, address)?, "chip id 0x60"),
    },
    Driver {
        name: "bmp280",
        aliases: &[],
        parts: "BMP280",
        addresses: &bme280::ADDRESSES,
        quantities: &[TEMPERATURE, PRESSURE],
        options: &[],
        noisy: true,
        build: |spec| Ok(Box::new(bme280::Bme280::new(bme280::Part::Bmp280, spec.address()))),
        twin: |_| Box::new(sim::bme280::Bme280Twin::new(bme280::Part::Bmp280)),
        probe: |bus, address, _| proof(bme280::probe(bus, bme280::Part::Bmp280, address)?, "chip id 0x58"),
    },
];

const ADS_ADDRESSES: &[u8] = &[0x48, 0x49, 0x4A, 0x4B];
const ADS_QUANTITIES: &[(&str, &str)] = &[
    ("ain0", "V"),
    ("ain1", "V"),
    ("ain2", "V"),
    ("ain3", "V"),
    ("wind_speed", "m/s"),
    ("wind_speed_ain1", "m/s"),
    ("wind_speed_ain2", "m/s"),
    ("wind_speed_ain3", "m/s"),
];
const ADS_USES: &[&str] = &["volts", "anemometer", "off"];
const ADS_OPTIONS: &[DriverOption] = &[
    DriverOption { name: "ain0", values: ADS_USES },
    DriverOption { name: "ain1", values: ADS_USES },
    DriverOption { name: "ain2", values: ADS_USES },
    DriverOption { name: "ain3", values: ADS_USES },
];

fn ads_inputs(spec: &ChipSpec) -> [Input; 4] {
    let input = |name| spec.option(name).and_then(Input::from_option).unwrap_or(Input::Volts);
    ["ain0", "ain1", "ain2", "ain3"].map(input)
}

fn build_ads(part: Part, spec: &ChipSpec) -> Result<Box<DynChip>, SpecError> {
    let inputs = ads_inputs(spec);
    if inputs == [Input::Off; 4] {
        return Err(SpecError::Nothing(spec.driver()));
    }
    Ok(Box::new(Ads1x15::new(part, spec.address(), inputs)))
}

fn probe_ads(bus: &mut DynBus, address: u8, _: &mut dyn FnMut(Duration)) -> Result<Finding, BusError> {
    Ok(match ads1x15::probe(bus, address)? {
        Some(true) => Finding::Likely,
        Some(false) => Finding::Possible,
        None => Finding::Not,
    })
}

fn proof(is: bool, evidence: &'static str) -> Result<Finding, BusError> {
    Ok(if is { Finding::Proof(evidence) } else { Finding::Not })
}
