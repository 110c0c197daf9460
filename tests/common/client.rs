//! A client on a plain socket: what anybody on the network can do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use pisink::model::{Body, Message};
use pisink::wire::LineDecoder;
use serde_json::{Value as Json, json};

use super::PATIENCE;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
    next_id: u64,
}

impl Client {
    pub(crate) fn to(address: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}")))
    }

    /// `None` where nobody takes the connection.
    pub(crate) fn try_to(address: &str) -> Option<Self> {
        TcpStream::connect(address).ok().map(Self::over)
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        Self { stream, lines, next_id: 1 }
    }

    /// Sends bytes as they stand.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes that the other end may refuse to take; whether it took them.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a JSON text as one line.
    pub(crate) fn send_json(&mut self, json: &Json) {
        self.send(format!("{json}\r\n").as_bytes());
    }

    /// The next line; `None` at the end of the connection, however it ends.
    pub(crate) fn try_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(count) if count > 0 => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no line within {PATIENCE:?}")
            }
            _ => None,
        }
    }

    pub(crate) fn line(&mut self) -> String {
        self.try_line().expect("a line, and not the end of the connection")
    }

    pub(crate) fn json(&mut self) -> Json {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends an envelope, and waits for the answer that names it.
    pub(crate) fn ask(&mut self, key: &str, value: &Json) -> Json {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let question = if value.is_null() {
            json!({ "id": id, "key": key })
        } else {
            json!({ "id": id, "key": key, "value": value })
        };
        self.send_json(&question);
        loop {
            let answer = self.json();
            if answer["id"] == *id || answer["value"]["re"] == *id {
                return answer;
            }
        }
    }

    /// Sends an envelope, and waits for the next message with the key `answer`: answers of a ring name what they answer
    /// by its ring.
    pub(crate) fn ask_for(&mut self, key: &str, value: &Json, answer: &str) -> Json {
        self.send_json(&json!({ "id": "0", "key": key, "value": value }));
        loop {
            let message = self.json();
            assert!(message["key"] != "ERROR", "{message}");
            if message["key"] == answer {
                return message;
            }
        }
    }

    pub(crate) fn status(&mut self) -> Json {
        self.ask("STATUS", &Json::Null)["value"].take()
    }

    /// Says that nothing more will be sent; answers still come.
    pub(crate) fn shut_down_writing(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Whether the other end closes the connection, whatever it still sends before.
    pub(crate) fn is_closed_by_the_other_end(&mut self) -> bool {
        let mut scratch = vec![0; 64 << 10];
        loop {
            match self.lines.read(&mut scratch) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Polls as a consumer would, by the program's own codec.
    pub(crate) fn poll(&mut self, poll: &Json) -> Message {
        let answer = self.ask("POLL", poll);
        let line = format!("{answer}\n");
        LineDecoder::default().next(&mut line.as_bytes()).unwrap().unwrap()
    }

    /// One piece of a node's journal after `after`, with what is acknowledged; an empty `journal` asks which it is.
    pub(crate) fn readings(&mut self, journal: &str, after: u64, taken: u64) -> pisink::model::Readings {
        let mut poll = json!({ "after": after, "taken": taken, "max": 2_000 });
        if !journal.is_empty() {
            poll["journal"] = journal.into();
        }
        match self.poll(&poll).body {
            Body::Readings(readings) => readings,
            other => panic!("no READINGS: {other:?}"),
        }
    }
}
