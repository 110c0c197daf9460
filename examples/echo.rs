//! Sends every message back in the framing that it came in: `echo ADDRESS:PORT`.

use pisink::serve::{Caller, Server};
use serde_json::Value;

fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5489".to_owned());
    let server = Server::bind(&address)?.stop_at_signals()?;
    eprintln!("echo listens on {}", server.address());
    let statistics = server.run(|request: &Value, _: &Caller| Some(request.clone()))?;
    eprintln!("{statistics:?}");
    Ok(())
}
