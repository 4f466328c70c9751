//! One record of the file `authority`.

use budget::{Drawn, Token};
use bytes::Bytes;
use domain::{Account, IncarnationId, ResourceId};
use prost::Message;
use proto::{account_from, account_to, v1};

use super::Cost;
use crate::{
    acked::Position,
    frame::{self, Kind, Parsed},
};

/// One record: any of its parts.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Line {
    #[prost(bytes = "bytes", tag = "1")]
    root: Bytes,
    /// An account is about to be named.
    #[prost(message, optional, tag = "2")]
    account: Option<v1::Account>,
    /// The epoch, and its token once it is known.
    #[prost(message, optional, tag = "3")]
    epoch: Option<EpochLine>,
    /// The folder leaves for good.
    #[prost(bool, tag = "4")]
    pub(super) closing: bool,
    /// Events before it are in the sums.
    #[prost(message, optional, tag = "5")]
    summed: Option<PositionLine>,
    #[prost(message, repeated, tag = "6")]
    totals: Vec<TotalLine>,
    /// An id that the folder had before.
    #[prost(bytes = "bytes", tag = "7")]
    left: Bytes,
    /// One of those that the ledger has closed.
    #[prost(bytes = "bytes", tag = "8")]
    forgotten: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct EpochLine {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(string, optional, tag = "2")]
    token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct PositionLine {
    #[prost(uint64, tag = "1")]
    segment: u64,
    #[prost(uint64, tag = "2")]
    offset: u64,
}

/// More that was drawn, and what of it was acknowledged, in nano-dollars.
#[derive(Clone, PartialEq, Message)]
struct TotalLine {
    #[prost(bytes = "bytes", tag = "1")]
    root: Bytes,
    #[prost(message, optional, tag = "2")]
    account: Option<v1::Account>,
    #[prost(int64, tag = "3")]
    drawn: i64,
    #[prost(int64, tag = "4")]
    acknowledged: i64,
}

impl Line {
    pub(super) fn of_account(root: ResourceId, account: &Account) -> Self {
        Self { root: root_to(root), account: Some(account_to(account)), ..Self::default() }
    }

    pub(super) fn of_epoch(root: ResourceId, epoch: u64, token: Option<&Token>) -> Self {
        let token = token.map(|token| token.as_str().to_owned());
        Self { root: root_to(root), epoch: Some(EpochLine { epoch, token }), ..Self::default() }
    }

    pub(super) fn of_closing() -> Self {
        Self { closing: true, ..Self::default() }
    }

    pub(super) fn of_left(holder: IncarnationId) -> Self {
        Self { left: Bytes::copy_from_slice(holder.0.as_bytes()), ..Self::default() }
    }

    pub(super) fn of_forgotten(holder: IncarnationId) -> Self {
        Self { forgotten: Bytes::copy_from_slice(holder.0.as_bytes()), ..Self::default() }
    }

    pub(super) fn left(&self) -> Option<IncarnationId> {
        uuid::Uuid::from_slice(&self.left).ok().map(IncarnationId)
    }

    pub(super) fn forgotten(&self) -> Option<IncarnationId> {
        uuid::Uuid::from_slice(&self.forgotten).ok().map(IncarnationId)
    }

    pub(super) fn total(root: ResourceId, account: &Account, sum: Drawn) -> Self {
        let Drawn { drawn, acknowledged } = sum;
        let account = Some(account_to(account));
        Self {
            totals: vec![TotalLine { root: root_to(root), account, drawn, acknowledged }],
            ..Self::default()
        }
    }

    pub(super) fn sums<'a>(before: Position, costs: impl Iterator<Item = &'a Cost>) -> Self {
        let totals = costs.flat_map(|Cost { draw, cost, acknowledged }| {
            draw.accounts.iter().map(|account| TotalLine {
                root: root_to(draw.root),
                account: Some(account_to(account)),
                drawn: cost.nanos(),
                acknowledged: if *acknowledged { cost.nanos() } else { 0 },
            })
        });
        let summed = Some(PositionLine { segment: before.segment, offset: before.offset });
        Self { summed, totals: totals.collect(), ..Self::default() }
    }

    pub(super) fn account(&self) -> Option<(ResourceId, Account)> {
        let account = self.account.clone()?;
        Some((root_from(&self.root)?, account_from(account).ok()?))
    }

    pub(super) fn epoch(&self) -> Option<(ResourceId, u64, Option<Token>)> {
        let EpochLine { epoch, token } = self.epoch.clone()?;
        Some((root_from(&self.root)?, epoch, token.map(Token::new)))
    }

    pub(super) fn summed(&self) -> Option<Position> {
        self.summed.map(|line| Position { segment: line.segment, offset: line.offset })
    }

    pub(super) fn totals(&self) -> impl Iterator<Item = (ResourceId, Account, Drawn)> {
        self.totals.iter().filter_map(|line| {
            let account = account_from(line.account.clone()?).ok()?;
            let sum = Drawn { drawn: line.drawn, acknowledged: line.acknowledged };
            Some((root_from(&line.root)?, account, sum))
        })
    }
}

/// The record's bytes.
pub(super) fn sealed(line: &Line, seed: u32) -> Vec<u8> {
    let mut buffer = Vec::new();
    frame::start(&mut buffer);
    // Encoding fails for want of room alone, which a `Vec` has.
    line.encode(&mut buffer).unwrap_or_default();
    frame::seal(&mut buffer, Kind::Authority, seed);
    buffer
}

/// The record at the start of the bytes, and its size.
pub(super) fn parse(bytes: &[u8], seed: u32) -> Option<(Line, usize)> {
    match frame::parse(bytes, seed) {
        Parsed::Record { kind: Kind::Authority, payload, size } => Some((Line::decode(payload).ok()?, size)),
        _ => None,
    }
}

fn root_to(root: ResourceId) -> Bytes {
    Bytes::copy_from_slice(root.0.as_bytes())
}

fn root_from(bytes: &[u8]) -> Option<ResourceId> {
    uuid::Uuid::from_slice(bytes).ok().map(ResourceId)
}
