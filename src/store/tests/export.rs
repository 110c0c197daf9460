//! Exports: golden texts, and every number parsed back.

use serde_json::{Value as Json, json};

use super::*;
use crate::model::ClockMark;

/// A store of four readings: a plain one, an ERR, a number with all its digits, a chip with a name that needs quotes.
fn small(dir: &Path) {
    let mut store = open(dir);
    let plain = channel("pi-1", "temperature");
    let odd = Arc::new(Channel { chip: "a \"b\", c".into(), unit: String::new(), ..(*plain).clone() });
    let mut pack = Pack::default();
    let mut push = |channel, (mono, time), value| {
        pack.push(channel, WallTime::from_unix_micros(time), Instant::from_micros(mono), value);
    };
    push(&plain, (5_000_000, DAY), Ok(21.5));
    push(&plain, (5_000_001, DAY + 1), Err(ErrReason::Nack));
    push(&plain, (5_123_456, DAY + 123_456), Ok(0.1 + 0.2));
    // The clock was set back for a moment; it was synchronised before.
    push(&odd, (6_000_000, -1_500_000), Ok(-1e300));
    let (mono, wall, synced) = (mono_s(5), at_s(0), Some(std::time::Duration::from_millis(2)));
    store.note_mark(&ClockMark { mono, wall, synced }).unwrap();
    store.append(&pack).unwrap();
    store.close().unwrap();
}

fn exported(dir: &Path, format: &str) -> String {
    let mut out = Vec::new();
    export(&Reader::open(dir).unwrap(), &Filter::default(), format.parse().unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn jsonl_has_exactly_the_keys_of_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let text = exported(dir.path(), "jsonl");
    assert_eq!(
        text.lines().next().unwrap(),
        concat!(
            r#"{"node":"pi-1","chip":"sht3x-44","quantity":"temperature","unit":"Cel","#,
            r#""time":"2026-01-20T00:00:00.000000Z","value":21.5,"err":null,"time_source":"node","#,
            r#""time_error_s":0.002003,"node_time":"2026-01-20T00:00:00.000000Z","#,
            r#""boot":"00000000000000000000000000000001","mono_us":5000000,"journal":"000000000000000a","seq":1}"#
        )
    );
    let rows: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[1]["value"], &rows[1]["err"]), (&Json::Null, &json!("nack")));
    assert_eq!(rows[2]["value"].as_f64(), Some(0.1 + 0.2));
    assert_eq!(rows[2]["time"], "2026-01-20T00:00:00.123456Z");
    assert_eq!((rows[3]["chip"].as_str(), rows[3]["value"].as_f64()), (Some("a \"b\", c"), Some(-1e300)));
}

fn csv(channel: &str, value: &str, node_time: &str, (mono, seq): (i64, u64)) -> String {
    let boot = "00000000000000000000000000000001";
    let journal = "000000000000000a";
    format!("pi-1,{channel},2026-01-20T00:00:{value},node,0.002003,{node_time},{boot},{mono},{journal},{seq}")
}

#[test]
fn csv_has_the_same_columns_and_quotes_what_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let lines = [
        "node,chip,quantity,unit,time,value,err,time_source,time_error_s,node_time,boot,mono_us,journal,seq"
            .into(),
        csv("sht3x-44,temperature,Cel", "00.000000Z,21.5,", "2026-01-20T00:00:00.000000Z", (5_000_000, 1)),
        csv("sht3x-44,temperature,Cel", "00.000001Z,,nack", "2026-01-20T00:00:00.000001Z", (5_000_001, 2)),
        csv(
            "sht3x-44,temperature,Cel",
            "00.123456Z,0.30000000000000004,",
            "2026-01-20T00:00:00.123456Z",
            (5_123_456, 3),
        ),
        csv(
            "\"a \"\"b\"\", c\",temperature,",
            "01.000000Z,-1e+300,",
            "1969-12-31T23:59:58.500000Z",
            (6_000_000, 4),
        ),
    ];
    assert_eq!(exported(dir.path(), "csv").lines().collect::<Vec<_>>(), lines);
}

#[test]
fn senml_is_one_pack_with_exact_times() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let text = exported(dir.path(), "senml");
    assert!(text.contains("\"t\":1768867200.123456,"), "{text}");
    let pack: Vec<Json> = serde_json::from_str(&text).unwrap();
    let name = "pi-1/sht3x-44/temperature";
    let dated = |mut record: Json, node_time: f64, mono: i64| {
        let more =
            json!({"time_source": "node", "time_error_s": 0.002003, "node_time": node_time, "mono": mono});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    let record = json!({"n": name, "u": "Cel", "t": 1_768_867_200.0, "v": 21.5});
    assert_eq!(pack[0], dated(record, 1_768_867_200.0, 5_000_000));
    let record = json!({"n": name, "u": "Cel", "t": 1_768_867_200.000001, "vs": "ERR", "err": "nack"});
    assert_eq!(pack[1], dated(record, 1_768_867_200.000001, 5_000_001));
    let record = json!({"n": "pi-1/a \"b\", c/temperature", "t": 1_768_867_201.0, "v": -1e300});
    assert_eq!(pack[3], dated(record, -1.5, 6_000_000));
}

#[test]
fn an_empty_store_exports_well() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    assert_eq!(exported(dir.path(), "jsonl"), "");
    assert_eq!(exported(dir.path(), "csv").lines().count(), 1);
    assert_eq!(serde_json::from_str::<Json>(&exported(dir.path(), "senml")).unwrap(), json!([]));
    assert!("xml".parse::<Format>().unwrap_err().contains("jsonl"));
}

#[test]
fn an_output_that_fails_ends_the_export() {
    let dir = tempfile::tempdir().unwrap();
    small(dir.path());
    let reader = Reader::open(dir.path()).unwrap();
    for format in [Format::Csv, Format::Jsonl, Format::Senml] {
        let mut room = [0; 100];
        let error = export(&reader, &Filter::default(), format, &mut &mut room[..]).unwrap_err();
        assert!(matches!(error, ExportError::Write(_)), "{error}");
    }
}
