//! A gateway for devices that speak JSON of their own, as `{"probe": "p7", "raw": 512}`: turns the raw value of their
//! thermistor into a temperature, hands it to a pisink node as a reading of that probe, and answers the device.
//!
//! `gateway LISTEN_ADDRESS:PORT NODE_HOST:PORT`

use pisink::io::{Client, Patience};
use pisink::serve::{Caller, Handler, Server};
use pisink::wire::Dialect;
use serde_json::{Value, json};

/// The thermistor: 10 kohm at 25 degrees Celsius, B = 3950 K, in series with 10 kohm, read with 10 bits.
const RAW_MAX: f64 = 1_023.0;
const ROOM_K: f64 = 298.15;
const B_K: f64 = 3_950.0;

/// The temperature in degrees Celsius; nothing for a wire that is broken or shorted.
fn celsius(raw: f64) -> Option<f64> {
    let ratio = raw / (RAW_MAX - raw);
    (ratio > 0.001 && ratio < 1_000.0).then(|| 1.0 / (1.0 / ROOM_K + ratio.ln() / B_K) - 273.15)
}

struct Gateway {
    node: String,
    /// The link to the node, while there is one.
    link: Option<Client>,
}

impl Gateway {
    /// Hands a reading to the node; over a new link if the one that was there is gone.
    fn hand_on(&mut self, reading: &Value) -> Result<(), String> {
        if let Some(link) = &mut self.link
            && link.send(reading).is_ok()
        {
            return Ok(());
        }
        // Devices wait for their answer: the node is tried once.
        let once = Patience { tries: 1, ..Patience::default() };
        let mut link = Client::connect(&self.node, Dialect::Line, &once, |_, _| {})
            .map_err(|error| error.to_string())?;
        link.send(reading).map_err(|error| error.to_string())?;
        self.link = Some(link);
        Ok(())
    }
}

impl Handler for Gateway {
    fn handle(&mut self, request: &Value, _: &Caller) -> Option<Value> {
        let (Some(probe), Some(raw)) = (request["probe"].as_str(), request["raw"].as_f64()) else {
            return Some(json!({ "ok": false, "why": "write {\"probe\": NAME, \"raw\": 0 to 1023}" }));
        };
        let temperature = celsius(raw);
        // A reading that is none is ERR, never a number.
        let value = temperature.map_or(json!("ERR"), |celsius| json!((celsius * 100.0).round() / 100.0));
        let handed_on = self.hand_on(&json!({ "sender": probe, "temperature": value }));
        Some(match handed_on {
            Ok(()) => json!({ "ok": true, "temperature": value }),
            Err(why) => json!({ "ok": false, "why": why }),
        })
    }
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(listen), Some(node)) = (args.next(), args.next()) else {
        anyhow::bail!("gateway LISTEN_ADDRESS:PORT NODE_HOST:PORT");
    };
    let server = Server::bind(&listen)?.stop_at_signals()?;
    eprintln!("gateway listens on {}", server.address());
    let statistics = server.run(Gateway { node, link: None })?;
    eprintln!("{statistics:?}");
    Ok(())
}
