//! What a request asks of a holder, and what it gets.

use std::sync::Arc;

use domain::{Account, Money, RequestId};

use crate::{LeaseCommand, Units, units::money};

/// A request that is to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The request.
    pub request: RequestId,
    /// Where: every account of its tenant and of the tenant's ancestors.
    pub accounts: Arc<[Account]>,
    /// What it may cost at most.
    pub amount: Money,
}

/// A request that was drawn, to be settled with what it cost.
#[derive(Debug, PartialEq)]
#[must_use = "a hold that is not settled stays drawn until the window ends"]
pub struct Hold {
    pub(crate) wanted: Wanted,
}

/// Whether a request could be drawn from what is held.
#[derive(Debug, PartialEq)]
pub enum Reservation {
    /// It was drawn: it may be sent.
    Held(Hold),
    /// More authority is needed.
    Short(Wanted),
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What was taken beyond the reserved amount.
    pub overrun: Money,
}

/// A request that does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The request.
    pub wanted: Wanted,
    /// The one of its accounts in which the least is left.
    pub account: Option<Account>,
    /// What is left there for all proxies together, beside what each of them holds.
    pub left: Money,
}

impl Refused {
    pub(crate) fn of(wanted: Wanted, command: &LeaseCommand, left: &[Units]) -> Self {
        let named = command.accounts.iter().zip(left);
        let wants = named.filter(|(named, _)| wanted.accounts.contains(&named.account));
        let least = wants.min_by_key(|(_, left)| **left);
        let account = least.map(|(named, _)| named.account.clone());
        let left = money(least.map_or(0, |(_, left)| (*left).max(0)));
        Self { wanted, account, left }
    }
}

impl Hold {
    /// The request, its accounts and what was reserved.
    #[must_use]
    pub const fn wanted(&self) -> &Wanted {
        &self.wanted
    }
}
