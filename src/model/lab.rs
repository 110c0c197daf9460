//! The lab's text packets as values: a request for data, a post of readings, and the lab's token. What a peer wrote is
//! kept as it wrote it; [`LabPair::value`] says what it means.

use super::{ErrReason, Value};

/// Most pairs that one packet has. The lab's programs post five; a token of nine hosts has forty-five.
pub const LAB_PAIRS_MAX: usize = 256;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabText {
    /// `Requesting Data`: say what you measured last.
    Request,
    /// `Post Data,rtemp:22.10,...,winds:ERR,`: what a host measured.
    Post(Vec<LabPair>),
    /// `token,...,seq:N`: it is your turn.
    Token(LabToken),
    /// `ACK`: a packet arrived, as some of the lab's programs say.
    Ack,
}

/// One `key:text` of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabPair {
    /// The lab's word for what is measured, as in `rtemp`; without `,`, `:` and `/`.
    pub key: String,
    /// The number with two decimals, or `ERR`; without `,` and `/`.
    pub text: String,
}

/// The lab's token, with what the hosts put into it that had it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabToken {
    /// Everything before `seq:`, as it came: a host puts its own behind it.
    pub before: String,
    /// How many hosts had it, and one: it begins with 1.
    pub seq: u32,
}

impl LabPair {
    /// A reading with two decimals, as the lab writes it; `ERR` for one that failed.
    pub fn of(key: &str, value: Value) -> Self {
        let text = value.map_or_else(|_| "ERR".to_owned(), |number| format!("{number:.2}"));
        Self { key: key.to_owned(), text }
    }

    /// What it says: ERR `parse` for `ERR`, and for anything else that is no finite number.
    pub fn value(&self) -> Value {
        match self.text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(ErrReason::Parse),
        }
    }
}

impl LabToken {
    /// The token with which a turn begins.
    pub fn new() -> Self {
        Self { before: "token,".to_owned(), seq: 1 }
    }

    /// The token for the next host, with this host's own readings in it.
    pub fn with(mut self, own: &[LabPair]) -> Self {
        // Some of the lab's programs part the hosts by a slash: what they have begun goes on so.
        if self.before.contains('/') {
            self.before.push('/');
        }
        for LabPair { key, text } in own {
            self.before.extend([key, ":", text, ","]);
        }
        self.seq = self.seq.saturating_add(1);
        self
    }

    /// What each host put into it, in their order. A key that comes again begins the next host's.
    pub fn hosts(&self) -> Vec<Vec<LabPair>> {
        let mut hosts: Vec<Vec<LabPair>> = Vec::new();
        let mut is_new = true;
        for part in self.before.split('/') {
            for pair in pairs(part) {
                is_new |= hosts.last().is_some_and(|host| host.iter().any(|known| known.key == pair.key));
                match hosts.last_mut().filter(|_| !is_new) {
                    Some(host) => host.push(pair),
                    None => hosts.push(vec![pair]),
                }
                is_new = false;
            }
            is_new = true;
        }
        hosts
    }
}

impl Default for LabToken {
    fn default() -> Self {
        Self::new()
    }
}

/// The pairs in a text of `key:text` parted by commas. What is no pair is passed over; a text with a second colon stays
/// a pair, whose value nobody can read.
pub fn pairs(text: &str) -> impl Iterator<Item = LabPair> {
    let items = text.split([',', '/']).filter_map(|item| item.split_once(':'));
    let of = |(key, text): (&str, &str)| LabPair { key: key.trim().to_owned(), text: text.trim().to_owned() };
    items.map(of).filter(|pair| !pair.key.is_empty()).take(LAB_PAIRS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[LabPair]) -> Vec<(&str, &str)> {
        pairs.iter().map(|pair| (pair.key.as_str(), pair.text.as_str())).collect()
    }

    #[test]
    fn a_pair_is_a_number_with_two_decimals_or_err() {
        let of = |value| LabPair::of("rtemp", value).text;
        assert_eq!(
            (of(Ok(22.1)), of(Ok(-0.004)), of(Ok(345.0))),
            ("22.10".into(), "-0.00".into(), "345.00".into())
        );
        assert_eq!(of(Err(ErrReason::Nack)), "ERR");
        let value = |text: &str| LabPair { key: "k".into(), text: text.into() }.value();
        assert_eq!(
            (value("22.10"), value(" -3 "), value("ERR")),
            (Ok(22.1), Ok(-3.0), Err(ErrReason::Parse))
        );
        for text in ["", "nan", "inf", "1e999", "err", "1:2", "22,1", "0x10"] {
            assert_eq!(value(text), Err(ErrReason::Parse), "{text}");
        }
    }

    #[test]
    fn what_is_no_pair_is_passed_over() {
        let found: Vec<LabPair> = pairs("Post Data,rtemp:22.10,,noise, rhumd : ERR ,:5,a:b:c,").collect();
        assert_eq!(texts(&found), [("rtemp", "22.10"), ("rhumd", "ERR"), ("a", "b:c")]);
        assert_eq!(pairs(&"a:1,".repeat(100_000)).count(), LAB_PAIRS_MAX);
    }

    #[test]
    fn each_host_puts_its_own_behind_what_is_there() {
        let own = |number| vec![LabPair::of("rtemp", Ok(number)), LabPair::of("winds", Err(ErrReason::Nack))];
        let token = LabToken::new().with(&own(1.0)).with(&own(2.0));
        assert_eq!(
            (token.before.as_str(), token.seq),
            ("token,rtemp:1.00,winds:ERR,rtemp:2.00,winds:ERR,", 3)
        );
        assert_eq!(token.hosts(), [own(1.0), own(2.0)]);
        let parted = LabToken { before: "token,/rtemp:1.00,/winds:2.00,".into(), seq: 3 };
        let hosts = parted.hosts();
        assert_eq!(
            hosts.iter().map(|host| texts(host)).collect::<Vec<_>>(),
            [[("rtemp", "1.00")], [("winds", "2.00")]]
        );
        assert_eq!(parted.with(&own(3.0)).before, "token,/rtemp:1.00,/winds:2.00,/rtemp:3.00,winds:ERR,");
        assert_eq!(LabToken::new().hosts(), Vec::<Vec<LabPair>>::new());
    }
}
