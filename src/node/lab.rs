//! The lab's programs, as the node has to do with them: its own newest readings for them, and theirs for its journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Node;
use super::events::{Asker, Output, Report};
use crate::model::{Body, Channel, LabPair, LabText, Now, Readings, Seq, Value};
use crate::proto::{Far, Lab, LabConfig, LabOutput, LabSource, LinkId, foreign};
use crate::wire::Dialect;

/// The chip name of channels that one of the lab's programs fills.
const CHIP: &str = "lab";
/// So far back in the own journal the newest reading of a channel is looked for.
const LOOK_BACK_READINGS: u32 = 1_000;

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

    /// The end of the own journal came, or the store's words why not: then everything is missing.
    pub(super) fn lab_piece(&mut self, now: Now, asker: Option<LinkId>, piece: Result<Readings, String>) {
        let mut newest: BTreeMap<Arc<Channel>, Value> = BTreeMap::new();
        if let Ok(readings) = &piece {
            let through = readings.through();
            if through < self.secondary.last() && !readings.pack.is_empty() {
                // A piece ends with its boot: the newest are in a later one.
                let asker = Asker::Lab(asker);
                return self.outputs.push_back(Output::Read {
                    asker,
                    after: through,
                    max: LOOK_BACK_READINGS,
                });
            }
            let channels = &readings.pack.channels;
            for reading in &readings.pack.readings {
                let channel = usize::try_from(reading.channel.0).ok().and_then(|at| channels.get(at));
                if let Some(channel) = channel.filter(|channel| channel.node == self.name) {
                    newest.insert(Arc::clone(channel), reading.value);
                }
            }
        }
        let newest: Vec<_> = newest.into_iter().collect();
        self.drive_lab(now, |lab| lab.own(now.mono, asker, &newest));
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
            LabOutput::ReadOwn(asker) => {
                let after = self.secondary.last().0.saturating_sub(u64::from(LOOK_BACK_READINGS));
                Output::Read { asker: Asker::Lab(asker), after: Seq(after), max: LOOK_BACK_READINGS }
            }
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
        let values = pairs.iter().map(|pair| foreign::named(&pair.key, pair.value())).collect();
        let mut pack = self.open_pack();
        self.guests.take(&from, CHIP, values, now, &mut pack);
        if !pack.is_empty() {
            self.outputs.push_back(Output::Append(pack));
        }
    }
}
