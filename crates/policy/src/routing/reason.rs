//! Why a target is tried where it is, and why one is not; written out only where somebody reads it.

use std::{fmt, time::Duration};

use domain::{ModelRef, Money};

/// Why a target stands where it stands in a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SelectionReason {
    /// The first of the list.
    First,
    /// Behind those that stand before it.
    Next,
    /// Drawn by weight.
    Drawn {
        /// Its weight.
        weight: u32,
        /// All weights together.
        of: u32,
    },
    /// The fastest, at the last look.
    Fastest {
        /// 95th percentile of its time to the first token.
        p95: Option<Duration>,
    },
    /// Not the fastest, but its time has to be known.
    Explored,
    /// The less loaded one of two.
    LeastLoaded {
        /// Requests in flight there.
        in_flight: u32,
    },
    /// The cheapest that can do it.
    Cheapest {
        /// What the request is expected to cost; `None`: nobody knows its price.
        expected: Option<Money>,
    },
    /// The nearest.
    Nearest {
        /// How far, in the table's unit; `None`: nobody knows.
        distance: Option<u32>,
    },
    /// Where this session, user or prompt was before.
    Sticky,
    /// The step of a cascade.
    Step,
    /// It was out of use, and this request finds out whether it is back.
    Trial,
    /// It is out of use, but too few others are in use.
    Panic,
    /// It just came back and gets its traffic by and by; this request is above its share.
    Warming,
    /// It has as many requests as it may have at once; it is waited for if nobody else is left.
    Busy,
    /// It replaces a model that is out of service.
    Successor,
}

impl fmt::Display for SelectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first of the list"),
            Self::Next => f.write_str("next of the list"),
            Self::Drawn { weight, of } => write!(f, "drawn by weight, {weight} of {of}"),
            Self::Fastest { p95: Some(p95) } => {
                write!(f, "lowest p95 of time to first token, {} ms", p95.as_millis())
            }
            Self::Fastest { p95: None } => f.write_str("lowest latency; nothing measured yet"),
            Self::Explored => f.write_str("measured in passing: its latency has to be known"),
            Self::LeastLoaded { in_flight } => write!(f, "least loaded of two, {in_flight} in flight"),
            Self::Cheapest { expected: Some(cost) } => write!(f, "cheapest that can do it, about ${cost}"),
            Self::Cheapest { expected: None } => f.write_str("its price is unknown"),
            Self::Nearest { distance: Some(distance) } => write!(f, "nearest, distance {distance}"),
            Self::Nearest { distance: None } => f.write_str("its distance is unknown"),
            Self::Sticky => f.write_str("where its session, user or prompt keeps to"),
            Self::Step => f.write_str("step of the cascade"),
            Self::Trial => f.write_str("trial: finds out whether it is back"),
            Self::Panic => f.write_str("panic: too few healthy targets, and this one still answers at times"),
            Self::Warming => f.write_str("just back: its traffic grows by and by"),
            Self::Busy => f.write_str("at its limit of concurrent requests"),
            Self::Successor => f.write_str("successor of a model that is out of service"),
        }
    }
}

/// A target that is not tried.
#[derive(Clone, Debug, PartialEq)]
pub struct SkippedTarget {
    /// The target.
    pub model: ModelRef,
    /// Why not.
    pub why: SkipReason,
}

impl fmt::Display for SkippedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, why } = self;
        write!(f, "{model}: {why}")
    }
}

/// Why a target is not tried.
#[derive(Clone, Debug, PartialEq)]
pub enum SkipReason {
    /// It cannot be used at all.
    Unusable(String),
    /// It is out of use because it failed.
    Ejected {
        /// For how much longer.
        left: Duration,
    },
    /// Its time out of use is over, and another request finds out whether it is back.
    OnTrial,
    /// None of its keys can be used.
    NoUsableCredential {
        /// Why, of each.
        why: String,
        /// When the first of them comes back.
        left: Duration,
        /// Whether all of them have only spent what they may.
        spent: bool,
        /// Whether one of them would perhaps be served: the provider did not say that it would refuse it.
        perhaps: bool,
    },
    /// The request does not fit into its context.
    TooSmall {
        /// Tokens that would be needed.
        needed: u64,
        /// Tokens that there are.
        context: u64,
    },
    /// It cannot do something that the request uses.
    MissingCapability(&'static str),
    /// It stands in the plan already, by its own name or in place of another.
    Duplicate,
    /// An earlier target could not take the input, and this one takes no more.
    ContextNotLarger,
    /// It has as many requests as it may have at once.
    Busy,
}

impl SkipReason {
    /// After how long it may be worth asking again; `None`: time changes nothing about it.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Ejected { left } | Self::NoUsableCredential { left, .. } => Some(*left),
            Self::OnTrial | Self::Busy => Some(Duration::from_secs(1)),
            Self::Unusable(_)
            | Self::TooSmall { .. }
            | Self::MissingCapability(_)
            | Self::Duplicate
            | Self::ContextNotLarger => None,
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |left: &Duration| left.as_secs_f64();
        match self {
            Self::Unusable(why) => f.write_str(why),
            Self::Ejected { left } => write!(f, "unhealthy, out of use for {:.1} s more", seconds(left)),
            Self::OnTrial => f.write_str("unhealthy; another request finds out whether it is back"),
            Self::NoUsableCredential { why, left, .. } => {
                write!(f, "no usable key for {:.1} s: {why}", seconds(left))
            }
            Self::TooSmall { needed, context } => {
                write!(f, "needs {needed} tokens, its context has {context}")
            }
            Self::MissingCapability(what) => write!(f, "does not support {what}"),
            Self::Busy => f.write_str("at its limit of concurrent requests"),
            Self::Duplicate => f.write_str("stands in the plan already"),
            Self::ContextNotLarger => {
                f.write_str("takes no more input than a target that it was too long for")
            }
        }
    }
}
