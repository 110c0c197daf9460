//! Planted defects of what is around a node: its store, its start. Only tests can switch one on.

use crate::model::Readings;
use crate::node::Node;
use crate::proto::contract::Watched;

/// One rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostDefect {
    /// The store says that it has taken readings before its disk has them.
    ConfirmsEarly,
    /// A read of the journal leaves out its first reading.
    SkipsOne,
    /// A node that starts again bears the name of its former life.
    KeepsLife,
}

/// The defect of a world, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Planted {
    pub(crate) host: Option<HostDefect>,
}

impl Planted {
    /// A node with the defect, if it is one of a node.
    pub(crate) fn plant(&self, node: Watched<Node>) -> Watched<Node> {
        node
    }

    pub(crate) fn keeps_life(&self) -> bool {
        self.host == Some(HostDefect::KeepsLife)
    }

    pub(crate) fn confirms_early(&self) -> bool {
        self.host == Some(HostDefect::ConfirmsEarly)
    }

    pub(crate) fn spoil(&self, mut piece: Readings) -> Readings {
        if self.host == Some(HostDefect::SkipsOne) && piece.pack.len() > 1 {
            piece.pack.readings.remove(0);
            piece.first = piece.first.next();
        }
        piece
    }
}
