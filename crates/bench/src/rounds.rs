//! What is asked of the gateways, in alternating rounds, so that a machine that slows down slows both.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    load::{self, Measured},
    process,
    provider::PACED,
    subject::{Subject, Telling},
};

/// How often everything is repeated.
const ROUNDS: usize = 3;
/// Before the first round, for connections and caches.
const WARM_UP: Duration = Duration::from_secs(1);

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// A small chat request, at 32 connections.
    Busy,
    /// The same at one connection.
    Alone,
    /// A prompt of 64 KB, at 8 connections.
    Large,
    /// A paced stream, at 32 connections.
    Streams,
    /// The same at one connection.
    FirstToken,
}

impl Scenario {
    pub(crate) const ALL: [Self; 5] = [Self::Busy, Self::Alone, Self::Large, Self::Streams, Self::FirstToken];

    /// What a user calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Alone => "alone",
            Self::Large => "large",
            Self::Streams => "streams",
            Self::FirstToken => "first-token",
        }
    }

    /// Model, bytes of the prompt, connections, time of one round.
    const fn load(self) -> (&'static str, usize, usize, Duration) {
        match self {
            Self::Busy => ("chat", 200, 32, Duration::from_secs(3)),
            Self::Alone => ("chat", 200, 1, Duration::from_secs(2)),
            Self::Large => ("chat", 64 << 10, 8, Duration::from_secs(2)),
            Self::Streams => (PACED, 200, 32, Duration::from_secs(3)),
            Self::FirstToken => (PACED, 200, 1, Duration::from_secs(2)),
        }
    }

    /// Whether the way without a gateway is measured too.
    const fn has_baseline(self) -> bool {
        matches!(self, Self::Alone | Self::FirstToken)
    }
}

/// One scenario at one target, over all rounds.
#[derive(Default)]
pub(crate) struct Results {
    /// CPU microseconds per request, one for each round.
    pub(crate) cpu: Vec<f64>,
    /// Requests per second, one for each round.
    pub(crate) rate: Vec<f64>,
    /// Part of the core that the gateway used during the load, one for each round.
    pub(crate) busy: Vec<f64>,
    pub(crate) whole: Vec<Duration>,
    pub(crate) first: Vec<Duration>,
}

/// Everything that was measured of one gateway.
#[derive(Default)]
pub(crate) struct Gateway {
    pub(crate) results: BTreeMap<Scenario, Results>,
    /// Resident memory before and after the load, in KiB.
    pub(crate) idle: u64,
    pub(crate) loaded: u64,
    /// The share of spans that did not reach the collector.
    pub(crate) lost_spans: Option<f64>,
}

/// Who is asked.
pub(crate) struct Subjects {
    pub(crate) nginx: Subject,
    pub(crate) portcullis: Subject,
    /// Proxies that tell more of their requests, in order; asked in the first scenario only.
    pub(crate) more: Vec<(Telling, Subject)>,
}

/// Of the way without a gateway, of nginx, and of Portcullis.
pub(crate) struct Figures {
    pub(crate) direct: Gateway,
    pub(crate) nginx: Gateway,
    pub(crate) portcullis: Gateway,
    pub(crate) more: BTreeMap<Telling, Gateway>,
}

/// Runs all rounds.
///
/// # Errors
/// When a request is not answered with success, or a gateway does not come to rest.
pub(crate) async fn run(
    provider: SocketAddr,
    subjects: &Subjects,
    key: &str,
    scenarios: &[Scenario],
    mut say: impl FnMut(&str),
) -> anyhow::Result<Figures> {
    let Subjects { nginx, portcullis, more } = subjects;
    let told = more.iter().map(|(telling, subject)| Ok((*telling, begin(subject)?)));
    let mut figures = Figures {
        direct: Gateway::default(),
        nginx: begin(nginx)?,
        portcullis: begin(portcullis)?,
        more: told.collect::<anyhow::Result<_>>()?,
    };
    for subject in [nginx, portcullis].into_iter().chain(more.iter().map(|(_, subject)| subject)) {
        let (model, prompt, connections, _) = Scenario::Busy.load();
        let request = Arc::new(load::request(key, model, prompt));
        load::run(subject.addr, &request, connections, WARM_UP).await?;
        process::rest(subject.pid).await?;
    }
    for round in 1..=ROUNDS {
        for &scenario in scenarios {
            say(&format!("round {round} of {ROUNDS}: {}", scenario.name()));
            let (model, prompt, connections, time) = scenario.load();
            let request = Arc::new(load::request(key, model, prompt));
            if scenario.has_baseline() {
                let measured = load::run(provider, &request, connections, time).await?;
                figures.direct.results.entry(scenario).or_default().take(measured);
            }
            let mut asked = vec![(nginx, &mut figures.nginx), (portcullis, &mut figures.portcullis)];
            if scenario == Scenario::Busy {
                let told = more.iter().map(|(_, subject)| subject).zip(figures.more.values_mut());
                asked.extend(told);
            }
            for (subject, figures) in asked {
                let results = figures.results.entry(scenario).or_default();
                measure(subject, &request, connections, time, results).await?;
            }
        }
    }
    figures.nginx.loaded = process::resident(nginx.pid)?;
    figures.portcullis.loaded = process::resident(portcullis.pid)?;
    for ((_, subject), figures) in more.iter().zip(figures.more.values_mut()) {
        figures.lost_spans = subject.lost_spans()?;
    }
    Ok(figures)
}

fn begin(subject: &Subject) -> anyhow::Result<Gateway> {
    Ok(Gateway { idle: process::resident(subject.pid)?, ..Gateway::default() })
}

/// CPU time is counted until the gateway rests again: work that it puts off is work for the request.
async fn measure(
    subject: &Subject,
    request: &Arc<Vec<u8>>,
    connections: usize,
    time: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    let before = process::cpu(subject.pid)?;
    let measured = load::run(subject.addr, request, connections, time).await?;
    let during = process::cpu(subject.pid)?.saturating_sub(before);
    process::rest(subject.pid).await?;
    let used = process::cpu(subject.pid)?.saturating_sub(before);
    let requests = measured.whole.len() as f64;
    results.cpu.push(used.as_secs_f64() * 1e6 / requests);
    results.busy.push(during.as_secs_f64() / measured.elapsed.as_secs_f64());
    results.take(measured);
    Ok(())
}

impl Results {
    fn take(&mut self, measured: Measured) {
        self.rate.push(measured.whole.len() as f64 / measured.elapsed.as_secs_f64());
        self.whole.extend(measured.whole);
        self.first.extend(measured.first);
    }
}
