//! `pisink sensors`: the chips that are known, those on a bus, and what they say now.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use pisink_sensors::bus::{self, BusSpec, DynBus, Simulation};
use pisink_sensors::catalogue::{self, ChipSpec, DRIVERS};
use pisink_sensors::chip::{Fault, Sample, Step};
use pisink_sensors::host::Host;
use pisink_sensors::scan::{self, Found, Verdict};
use pisink_sensors::sim::{PlannedFault, SimTime};
use serde_json::{Value as Json, json};

use super::{Usage, parse};
use crate::io::{self, Interrupts};

#[derive(Debug, Args)]
pub(super) struct SensorsArgs {
    #[command(subcommand)]
    command: SensorsCommand,
}

#[derive(Debug, Subcommand)]
enum SensorsCommand {
    /// The chips that pisink knows, their addresses, quantities and options
    List {
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// What is on a bus: reads only, names what an id or checksum proves, and prints the config lines
    Scan(BusArgs),
    /// What chips say now; without --chip, the machine's own channels
    Read(ReadArgs),
}

#[derive(Debug, Args)]
struct BusArgs {
    /// pi:N for /dev/i2c-N; sim or sim:SEED for simulated chips
    #[arg(long, env = "PISINK_BUS", default_value = "pi:1", value_name = "BUS")]
    bus: BusSpec,

    /// A chip as DRIVER@ADDRESS[,OPTION=VALUE]; on a simulated bus these are the chips that there are
    #[arg(long = "chip", value_name = "CHIP")]
    chips: Vec<ChipSpec>,

    /// A fault of a simulated chip
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<PlannedFault>,

    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ReadArgs {
    #[command(flatten)]
    bus: BusArgs,

    /// Again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,

    /// From one reading to the next, with --watch
    #[arg(long, default_value = "1s", value_parser = parse::duration, value_name = "DURATION")]
    interval: Duration,
}

pub(super) fn run(args: &SensorsArgs) -> Result<()> {
    match &args.command {
        SensorsCommand::List { json } => list(*json),
        SensorsCommand::Scan(args) => scan(args),
        SensorsCommand::Read(args) => read(args),
    }
}

fn list(json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let rows: Vec<Json> = DRIVERS
            .iter()
            .map(|driver| {
                let quantities =
                    driver.quantities.iter().map(|(name, unit)| json!({"name": name, "unit": unit}));
                let options =
                    driver.options.iter().map(|option| json!({"name": option.name, "values": option.values}));
                json!({
                    "driver": driver.name,
                    "aliases": driver.aliases,
                    "parts": driver.parts,
                    "addresses": driver.addresses,
                    "quantities": quantities.collect::<Vec<_>>(),
                    "options": options.collect::<Vec<_>>(),
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &rows)?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "{:<9} {:<12} {:<40} parts", "driver", "addresses", "quantities")?;
    for driver in DRIVERS {
        let quantity = |(name, unit): &(&str, &str)| match *unit {
            "" => (*name).to_owned(),
            unit => format!("{name} ({unit})"),
        };
        let quantities: Vec<String> = driver.quantities.iter().map(quantity).collect();
        let addresses = address_range(driver.addresses);
        writeln!(out, "{:<9} {addresses:<12} {:<40} {}", driver.name, quantities.join(", "), driver.parts)?;
        for option in driver.options {
            writeln!(out, "{:<22} option {}={}", "", option.name, option.values.join("|"))?;
        }
    }
    writeln!(
        out,
        "\nUse one as --chip DRIVER@ADDRESS, as in --chip sht3x@0x44 or --chip ads1015@0x48,ain0=anemometer."
    )?;
    Ok(())
}

/// `0x44, 0x45`, or `0x48..0x4f` for a run.
fn address_range(addresses: &[u8]) -> String {
    match addresses {
        [first, .., last] if addresses.len() > 2 && usize::from(last - first) + 1 == addresses.len() => {
            format!("{first:#04x}..{last:#04x}")
        }
        _ => addresses.iter().map(|address| format!("{address:#04x}")).collect::<Vec<_>>().join(", "),
    }
}

fn open(args: &BusArgs) -> Result<Box<DynBus>> {
    Ok(bus::open(&args.bus, simulation(&args.chips, &args.faults))?)
}

/// What a simulated bus is made of, in the present.
pub(super) fn simulation<'a>(chips: &'a [ChipSpec], faults: &'a [PlannedFault]) -> Simulation<'a> {
    Simulation { chips, faults, clock: Box::new(|| SimTime::from_micros(io::now().wall.as_unix_micros())) }
}

fn scan(args: &BusArgs) -> Result<()> {
    let mut bus = open(args)?;
    let found = scan::scan(bus.as_mut(), &mut pause).with_context(|| format!("scanning {}", args.bus))?;
    let lines = scan::config_lines(&args.bus, &found);
    let mut out = std::io::stdout().lock();
    if args.json {
        let rows: Vec<Json> = found.iter().map(found_json).collect();
        serde_json::to_writer_pretty(
            &mut out,
            &json!({"bus": args.bus.to_string(), "found": rows, "flags": lines.flags}),
        )?;
        return Ok(writeln!(out)?);
    }
    if found.is_empty() {
        writeln!(
            out,
            "Nothing answers on {}. Check power, wiring (SDA on pin 3, SCL on pin 5) and pull-ups.",
            args.bus
        )?;
        return Ok(());
    }
    for one in &found {
        writeln!(out, "{:#04x}  {}", one.address, one.verdict)?;
    }
    writeln!(out, "\nIn the config file:\n{}\nOr as flags:\n{}", lines.toml, lines.flags)?;
    Ok(())
}

/// One find, for programs.
pub(super) fn found_json(found: &Found) -> Json {
    let (verdict, drivers): (_, Vec<&str>) = match &found.verdict {
        Verdict::Identified { driver, .. } => ("identified", vec![*driver]),
        Verdict::Probable { drivers } => ("probable", drivers.clone()),
        Verdict::Busy => ("busy", Vec::new()),
        Verdict::Unknown => ("unknown", Vec::new()),
    };
    json!({"address": found.address, "verdict": verdict, "drivers": drivers, "text": found.verdict.to_string()})
}

/// Waits for a chip. Nobody can wake this, and the time is a chip's conversion: milliseconds.
pub(super) fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

fn read(args: &ReadArgs) -> Result<()> {
    let mut interrupts = Interrupts::watch()?;
    if args.bus.chips.is_empty() {
        return read_host(args, &mut interrupts);
    }
    if args.bus.bus == BusSpec::None {
        return Err(Usage(
            "--bus none has no chips: leave --chip out to read the machine's own channels".to_owned(),
        )
        .into());
    }
    let mut bus = open(&args.bus)?;
    let mut chips = Vec::new();
    for spec in &args.bus.chips {
        chips.push((spec.name(), catalogue::build(spec)?));
    }
    loop {
        let mut failed = 0;
        for (name, chip) in &mut chips {
            let mut samples = Vec::new();
            let fault = measure(bus.as_mut(), chip.as_mut(), &mut samples);
            failed += usize::from(fault.is_some());
            for (at, quantity) in chip.quantities().iter().enumerate() {
                let sample = samples.iter().find(|sample| sample.quantity == at);
                let value = sample.map_or(Err(fault.unwrap_or(Fault::NotReady)), |sample| sample.value);
                print_value(args, name, &quantity.name, quantity.unit, value)?;
            }
        }
        if !args.watch {
            if failed == chips.len() {
                bail!(
                    "no chip answered: look at what is there with `pisink sensors scan --bus {}`",
                    args.bus.bus
                );
            }
            return Ok(());
        }
        if interrupts.wait(args.interval) {
            return Ok(());
        }
    }
}

fn read_host(args: &ReadArgs, interrupts: &mut Interrupts) -> Result<()> {
    let host = Host::open(std::path::Path::new("/"), std::path::Path::new("."));
    loop {
        for sample in host.measure() {
            if let Some(quantity) = host.quantities().get(sample.quantity) {
                print_value(args, "host", &quantity.name, quantity.unit, sample.value)?;
            }
        }
        if !args.watch || interrupts.wait(args.interval) {
            return Ok(());
        }
    }
}

/// One whole measurement; the fault that ended it, if one did.
fn measure(bus: &mut DynBus, chip: &mut catalogue::DynChip, samples: &mut Vec<Sample>) -> Option<Fault> {
    /// No chip has so many steps.
    const STEPS_MAX: usize = 64;
    let mut wait = match chip.start(bus) {
        Ok(wait) => wait,
        Err(error) => return Some(error.fault),
    };
    for _ in 0..STEPS_MAX {
        pause(wait);
        match chip.read(bus, samples) {
            Ok(Step::Done) => return None,
            Ok(Step::Wait(more)) => wait = more,
            Err(error) => return Some(error.fault),
        }
    }
    Some(Fault::Timeout)
}

fn print_value(
    args: &ReadArgs,
    chip: &str,
    quantity: &str,
    unit: &str,
    value: Result<f64, Fault>,
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let time = io::now().wall;
    let err = value.err().map(|fault| io::reason(fault).as_str());
    if args.bus.json {
        let row = json!({
            "time": time.to_string(),
            "chip": chip,
            "quantity": quantity,
            "unit": unit,
            "value": value.ok(),
            "err": err,
        });
        return Ok(writeln!(out, "{row}")?);
    }
    let stamp = if args.watch {
        format!("{}  ", time.to_string().get(11..19).unwrap_or_default())
    } else {
        String::new()
    };
    let text = match value {
        Ok(value) => format!("{value:.3} {unit}"),
        Err(_) if super::wants_colour() => format!("\u{1b}[31mERR {}\u{1b}[0m", err.unwrap_or_default()),
        Err(_) => format!("ERR {}", err.unwrap_or_default()),
    };
    Ok(writeln!(out, "{stamp}{chip:<12} {quantity:<18} {text}")?)
}
