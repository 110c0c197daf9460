//! The lab's programs, as the node has to do with them: its own newest readings for them, and theirs for its journal.

use serde_json::Value as Json;

use super::Node;
use super::events::{Asker, Output, Report};
use crate::model::{Body, ErrReason, LabPair, LabText, Now};
use crate::proto::{Far, Lab, LabConfig, LabOutput, LabReading, LabSource, LinkId, foreign};
use crate::wire::Dialect;

/// The chip name of channels that one of the lab's programs fills.
const CHIP: &str = "lab";

impl Node {
    /// The same node, which has this to do with the lab's programs. Without it, it answers them.
    #[must_use]
    pub fn with_lab(mut self, config: LabConfig, now: Now) -> Self {
        self.lab = Lab::new(config, now.mono);
        self
    }

    /// Has the machine do something, and makes what it wants the node's own.
    pub(super) fn drive_lab(&mut self, now: Now, step: impl FnOnce(&mut Lab)) {
        step(&mut self.lab);
        while let Some(output) = self.lab.poll_output() {
            self.lab_output(now, output);
        }
    }

    pub(super) fn lab_text(&mut self, now: Now, link: LinkId, text: LabText) {
        if let Some(remote) = self.guests.remote(link) {
            self.drive_lab(now, |lab| lab.message(now.mono, link, remote, text));
        }
    }

    /// The newest readings came, of this node and of others, or the store's words why not: then everything is missing.
    pub(super) fn lab_latest(&mut self, now: Now, asker: Option<LinkId>, latest: Result<Json, String>) {
        let latest = latest.unwrap_or_default();
        let is_own = |reading: &&Json| reading["node"] == self.name.as_str();
        let readings = latest.as_array().into_iter().flatten().filter(is_own);
        let own: Vec<LabReading> = readings.filter_map(to_own).collect();
        self.drive_lab(now, |lab| lab.own(now.mono, asker, &own));
    }

    fn lab_output(&mut self, now: Now, output: LabOutput) {
        let output = match output {
            LabOutput::Connect(ix, address) => {
                Output::Connect { far: Far::Lab(ix), address, dialect: Dialect::Lab }
            }
            LabOutput::Disconnect(ix, link) => {
                if let Some(link) = link {
                    self.forget(link);
                }
                Output::Disconnect(Far::Lab(ix))
            }
            LabOutput::Send(link, text) => Output::Send(link, self.envelope(String::new(), Body::Lab(text))),
            LabOutput::Close(link, why) => {
                self.forget(link);
                Output::Close(link, why.to_owned())
            }
            LabOutput::ReadOwn(asker) => Output::ReadLatest { asker: Asker::Lab(asker), id: String::new() },
            LabOutput::Take(source, pairs) => return self.take_pairs(now, source, &pairs),
            LabOutput::Report(report) => Output::Report(Report::Lab(report)),
        };
        self.outputs.push_back(output);
    }

    fn take_pairs(&mut self, now: Now, source: LabSource, pairs: &[LabPair]) {
        let from = match source {
            LabSource::Named(name) => name,
            LabSource::Link(link) => match self.guests.name(link) {
                Some(name) => name,
                None => return,
            },
        };
        let values = pairs.iter().map(|pair| foreign::named(&pair.key, pair.value()));
        let mut pack = self.open_pack();
        self.guests.take_named((&from, CHIP), values, now, &mut pack);
        if !pack.is_empty() {
            self.outputs.push_back(Output::Append(pack));
        }
    }
}

/// One of the newest readings as it is told to anybody; `None` for what is none.
fn to_own(reading: &Json) -> Option<LabReading> {
    let text = |key: &str| reading[key].as_str().map(str::to_owned);
    let reason = || text("err").and_then(|reason| reason.parse().ok()).unwrap_or(ErrReason::Parse);
    let value = reading["value"].as_f64().ok_or_else(reason);
    Some(LabReading { chip: text("chip")?, quantity: text("quantity")?, value })
}
