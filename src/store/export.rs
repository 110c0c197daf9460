//! Export: readings as CSV, as JSON lines, or as one SenML pack, streamed to a writer.

use std::fmt::Display;
use std::io::Write;
use std::str::FromStr;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ExportRow, Filter, Reader, StoreError};
use crate::model::{BootId, WallTime};

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header row, the columns of [`Format::Jsonl`], lines ended by `\n`, null as an empty field.
    Csv,
    /// One JSON object a line: `node, chip, quantity, unit, time, value, err, time_source, time_error_s, node_time,
    /// boot, mono_us, journal, seq`.
    Jsonl,
    /// One SenML pack (RFC 8428): an array of `n, u, t` and `v`, or for an ERR `"vs":"ERR"` and its reason in `err`;
    /// and of our own `time_source`, `time_error_s`, `node_time` (seconds since 1970), `mono` (microseconds).
    Senml,
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            "senml" => Ok(Format::Senml),
            other => Err(format!("{other:?} is no export format; there are csv, jsonl and senml")),
        }
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output could not be written.
    #[error("the output cannot be written ({0}); check where it goes and the space there")]
    Write(#[from] std::io::Error),
}

/// Writes every wanted reading to `out`. Returns how many. Wrap `out` in a `BufWriter`: it is written in small pieces.
pub fn export(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let count = match format {
        Format::Csv => {
            out.write_all(COLUMNS)?;
            reader.readings(filter, |row| Ok::<_, ExportError>(csv(row, out)?))?
        }
        Format::Jsonl => reader.readings(filter, |row| {
            serde_json::to_writer(&mut *out, &JsonRow::from(row)).map_err(std::io::Error::from)?;
            Ok::<_, ExportError>(out.write_all(b"\n")?)
        })?,
        Format::Senml => {
            let mut before = "[\n";
            let count = reader.readings(filter, |row| {
                out.write_all(std::mem::replace(&mut before, ",\n").as_bytes())?;
                Ok::<_, ExportError>(senml(row, out)?)
            })?;
            out.write_all(if count == 0 { b"[]\n" } else { b"\n]\n" })?;
            count
        }
    };
    out.flush()?;
    Ok(count)
}

const COLUMNS: &[u8] =
    b"node,chip,quantity,unit,time,value,err,time_source,time_error_s,node_time,boot,mono_us,journal,seq\n";

/// The columns of an export; their names are a contract.
#[derive(Serialize)]
struct JsonRow<'a> {
    node: &'a str,
    chip: &'a str,
    quantity: &'a str,
    unit: &'a str,
    #[serde(serialize_with = "as_text")]
    time: WallTime,
    value: Option<f64>,
    err: Option<&'static str>,
    time_source: &'static str,
    time_error_s: Option<f64>,
    #[serde(serialize_with = "as_text")]
    node_time: WallTime,
    #[serde(serialize_with = "as_text")]
    boot: BootId,
    mono_us: i64,
    journal: String,
    seq: u64,
}

impl<'a> From<&ExportRow<'a>> for JsonRow<'a> {
    fn from(row: &ExportRow<'a>) -> Self {
        JsonRow {
            node: row.channel.node.as_str(),
            chip: &row.channel.chip,
            quantity: &row.channel.quantity,
            unit: &row.channel.unit,
            time: row.dated.time,
            value: row.value.ok(),
            err: row.value.err().map(|reason| reason.as_str()),
            time_source: row.dated.source.as_str(),
            time_error_s: row.dated.error.map(|error| error.as_secs_f64()),
            node_time: row.node_time,
            boot: row.boot,
            mono_us: row.mono.as_micros(),
            journal: row.journal.to_string(),
            seq: row.seq.0,
        }
    }
}

fn as_text<S: serde::Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn csv(row: &ExportRow<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let row = JsonRow::from(row);
    for text in [row.node, row.chip, row.quantity, row.unit] {
        csv_field(text, out)?;
        out.write_all(b",")?;
    }
    write!(out, "{},", row.time)?;
    // The same digits as in JSON: the fewest that give the same number back.
    if let Some(value) = row.value {
        serde_json::to_writer(&mut *out, &value)?;
    }
    write!(out, ",{},{},", row.err.unwrap_or_default(), row.time_source)?;
    if let Some(error_s) = row.time_error_s {
        serde_json::to_writer(&mut *out, &error_s)?;
    }
    writeln!(out, ",{},{},{},{},{}", row.node_time, row.boot, row.mono_us, row.journal, row.seq)
}

/// RFC 4180 section 2: quotes around a field with a comma, a quote or a line end; quotes within doubled.
fn csv_field(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    if text.contains([',', '"', '\r', '\n']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

/// One SenML record. `t` has all microseconds as decimal digits, which a float of that size would round.
#[derive(Serialize)]
struct SenmlRecord {
    n: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    u: String,
    t: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vs: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<&'static str>,
    time_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_error_s: Option<f64>,
    node_time: Box<RawValue>,
    mono: i64,
}

fn senml(row: &ExportRow<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let err = row.value.err().map(|reason| reason.as_str());
    let record = SenmlRecord {
        n: row.channel.to_string(),
        u: row.channel.unit.clone(),
        t: RawValue::from_string(seconds(row.dated.time))?,
        v: row.value.ok(),
        vs: err.map(|_| "ERR"),
        err,
        time_source: row.dated.source.as_str(),
        time_error_s: row.dated.error.map(|error| error.as_secs_f64()),
        node_time: RawValue::from_string(seconds(row.node_time))?,
        mono: row.mono.as_micros(),
    };
    serde_json::to_writer(out, &record).map_err(std::io::Error::from)
}

/// Seconds since 1970 as a JSON number, exact.
fn seconds(time: WallTime) -> String {
    let micros = time.as_unix_micros();
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    format!("{sign}{whole}.{part:06}")
}
