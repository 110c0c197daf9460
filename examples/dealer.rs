//! A round-robin dealer: each request goes to the next of the workers (jsocket 2 servers), and the answer comes back
//! with who gave it. A worker that is gone has its request dealt to the next one, and is tried again when its turn
//! comes.
//!
//! `dealer LISTEN_ADDRESS:PORT WORKER_HOST:PORT...`

use std::time::Duration;

use pisink::io::{Client, Patience};
use pisink::serve::{Caller, Handler, Server};
use pisink::wire::{Dialect, JsocketDialect};
use serde_json::{Value, json};

struct Worker {
    address: String,
    link: Option<Client>,
}

impl Worker {
    fn ask(&mut self, request: &Value) -> Option<Value> {
        if self.link.is_none() {
            let once = Patience { tries: 1, timeout: Duration::from_millis(500), ..Patience::default() };
            let dialect = Dialect::Jsocket(JsocketDialect::V2);
            self.link = Client::connect(&self.address, dialect, &once, |_, _| {}).ok();
        }
        let answer = self.link.as_mut()?.ask(request);
        if answer.is_err() {
            self.link = None;
        }
        answer.ok()
    }
}

struct Dealer {
    workers: Vec<Worker>,
    next: usize,
}

impl Handler for Dealer {
    fn handle(&mut self, request: &Value, _: &Caller) -> Option<Value> {
        for _ in 0..self.workers.len() {
            let at = self.next;
            self.next = (at + 1) % self.workers.len();
            if let Some(worker) = self.workers.get_mut(at)
                && let Some(answer) = worker.ask(request)
            {
                return Some(json!({ "worker": worker.address, "answer": answer }));
            }
        }
        Some(json!({ "error": "no worker answers" }))
    }
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_default();
    let workers: Vec<Worker> = args.map(|address| Worker { address, link: None }).collect();
    anyhow::ensure!(!workers.is_empty(), "dealer LISTEN_ADDRESS:PORT WORKER_HOST:PORT...");
    let server = Server::bind(&listen)?.stop_at_signals()?;
    eprintln!("dealer listens on {}", server.address());
    let statistics = server.run(Dealer { workers, next: 0 })?;
    eprintln!("{statistics:?}");
    Ok(())
}
