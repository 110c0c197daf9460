//! A client of jsocket, in each of its dialects, as the real ones are.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value as Json;

use super::PATIENCE;

/// The ways that jsocket has had to say a length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JsocketDialect {
    V2012,
    V1,
    V2,
}

impl JsocketDialect {
    pub(crate) const ALL: [JsocketDialect; 3] =
        [JsocketDialect::V2012, JsocketDialect::V1, JsocketDialect::V2];
}

/// A client of jsocket: as the real ones, it sends a message in two parts and waits with the second until the first is
/// acknowledged.
pub(crate) struct JsocketPeer {
    pub(crate) stream: TcpStream,
    dialect: JsocketDialect,
}

impl JsocketPeer {
    pub(crate) fn to(address: &str, dialect: JsocketDialect) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, dialect }
    }

    pub(crate) fn head(&self, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap();
        match self.dialect {
            JsocketDialect::V2012 => length.to_le_bytes().to_vec(),
            JsocketDialect::V1 => length.to_be_bytes().to_vec(),
            JsocketDialect::V2 => {
                [*b"JSN1", length.to_be_bytes(), crc32fast::hash(text).to_be_bytes()].concat()
            }
        }
    }

    pub(crate) fn send(&mut self, text: &[u8]) {
        self.stream.write_all(&self.head(text)).unwrap();
        self.stream.write_all(text).unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) fn receive(&mut self) -> Option<Json> {
        let mut head = vec![0; if self.dialect == JsocketDialect::V2 { 12 } else { 4 }];
        self.stream.read_exact(&mut head).ok()?;
        let length = head[if self.dialect == JsocketDialect::V2 { 4..8 } else { 0..4 }].try_into().unwrap();
        let length = if self.dialect == JsocketDialect::V2012 {
            u32::from_le_bytes(length)
        } else {
            u32::from_be_bytes(length)
        };
        let mut text = vec![0; length as usize];
        self.stream.read_exact(&mut text).ok()?;
        assert_eq!(self.head(&text), head, "its own header is right");
        Some(serde_json::from_slice(&text).unwrap())
    }

    pub(crate) fn ask(&mut self, question: &Json) -> Json {
        self.send(question.to_string().as_bytes());
        self.receive().expect("an answer")
    }
}
