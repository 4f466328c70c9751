//! Why a target has its place in a plan, and why another is skipped; formatted only where it is read.

use std::{fmt, time::Duration};

use domain::{ModelRef, Money};

/// Why a target has its place in a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SelectionReason {
    /// The first of the list.
    First,
    /// Next in the order.
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
        /// What the request is expected to cost, if the price is known.
        expected: Option<Money>,
    },
    /// The nearest.
    Nearest {
        /// How far, in the table's unit, if it is known.
        distance: Option<u32>,
    },
    /// The session, user or prompt is pinned to it.
    Sticky,
    /// The step of a cascade.
    Step,
    /// It is half-open, and this request tests whether it has recovered.
    Trial,
    /// It is out of use, but too few others are in use.
    Panic,
    /// It is warming up after its recovery, and this request is above its share.
    Warming,
    /// It is at its limit of concurrent requests; it is waited for if no other target is left.
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
            Self::Explored => f.write_str("sampled: its latency has to be measured"),
            Self::LeastLoaded { in_flight } => write!(f, "least loaded of two, {in_flight} in flight"),
            Self::Cheapest { expected: Some(cost) } => write!(f, "cheapest that can do it, about ${cost}"),
            Self::Cheapest { expected: None } => f.write_str("its price is unknown"),
            Self::Nearest { distance: Some(distance) } => write!(f, "nearest, distance {distance}"),
            Self::Nearest { distance: None } => f.write_str("its distance is unknown"),
            Self::Sticky => f.write_str("sticky: session, user or prompt is pinned to this target"),
            Self::Step => f.write_str("step of the cascade"),
            Self::Trial => f.write_str("half-open trial: tests whether the target has recovered"),
            Self::Panic => f.write_str(
                "panic mode: too few targets are healthy, and this one still answers some requests",
            ),
            Self::Warming => f.write_str("warming up after recovery: receiving a reduced share of traffic"),
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
    /// Its ejection is over, and another request tests whether it has recovered.
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
    /// It is in the plan already, by its own name or as a successor.
    Duplicate,
    /// An earlier target could not take the input, and this one takes no more.
    ContextNotLarger,
    /// It is at its limit of concurrent requests.
    Busy,
}

impl SkipReason {
    /// After how long it may be worth asking again, if time changes anything about it.
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
            Self::Ejected { left } => write!(f, "unhealthy, ejected for {:.1} s more", seconds(left)),
            Self::OnTrial => f.write_str("unhealthy; another request tests whether it has recovered"),
            Self::NoUsableCredential { why, left, .. } => {
                write!(f, "no usable credential for {:.1} s: {why}", seconds(left))
            }
            Self::TooSmall { needed, context } => {
                write!(f, "needs {needed} tokens, its context has {context}")
            }
            Self::MissingCapability(what) => write!(f, "does not support {what}"),
            Self::Busy => f.write_str("at its limit of concurrent requests"),
            Self::Duplicate => f.write_str("is in the plan already"),
            Self::ContextNotLarger => {
                f.write_str("its context window is no larger than that of a target that already rejected the input as too long")
            }
        }
    }
}
