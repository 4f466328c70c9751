//! Clients: a steady stream of requests that does not wait for answers, and a closed loop.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{runtime::Runtime, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::asked::{Call, Sample};

/// No answer takes that long, or it is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of all proxies.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    proxies: Arc<[String]>,
    bearer: Arc<str>,
    epoch: Instant,
}

impl Caller {
    pub(crate) fn new(proxies: Vec<String>, key: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let bearer = format!("Bearer {key}").into();
        Self { client, proxies: proxies.into(), bearer, epoch: Instant::now() }
    }

    /// The same with another clock.
    pub(crate) fn since(&self, epoch: Instant) -> Self {
        Self { epoch, ..self.clone() }
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Asks one of the proxies.
    pub(crate) async fn ask(&self, number: usize, call: &Call) -> Sample {
        let proxy = number % self.proxies.len();
        let mut sample = Sample { at: self.now(), proxy, ..Sample::default() };
        let asked = tokio::time::timeout(PATIENCE, self.exchange(call, &mut sample)).await;
        if let Err(failure) = asked.unwrap_or_else(|_| Err("no answer".to_owned())) {
            sample.failure.get_or_insert(failure);
        }
        sample.end = self.now();
        sample
    }

    async fn exchange(&self, call: &Call, sample: &mut Sample) -> Result<(), String> {
        let url = format!("{}/v1/chat/completions", self.proxies[sample.proxy]);
        let mut request = Request::post(url)
            .header("authorization", &*self.bearer)
            .header("content-type", "application/json");
        if call.explain {
            request = request.header("x-portcullis-explain", "1");
        }
        let request = request.body(Full::from(call.body.to_string())).unwrap();
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        note(&response, sample);
        if call.is_stream() && sample.status == 200 {
            return stream(response, sample).await;
        }
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
        sample.plain(&body.to_bytes());
        Ok(())
    }
}

/// What the headers say.
fn note(response: &Response<Incoming>, sample: &mut Sample) {
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    sample.status = response.status().as_u16();
    sample.provider = header("x-portcullis-provider").unwrap_or_default();
    sample.model = header("x-portcullis-model").unwrap_or_default();
    sample.fallback = header("x-portcullis-fallback").unwrap_or_default();
    sample.attempts = header("x-portcullis-attempts").and_then(|count| count.parse().ok()).unwrap_or(0);
    sample.retry_after = header("retry-after");
    sample.explain = header("x-portcullis-explain").and_then(|text| serde_json::from_str(&text).ok());
}

async fn stream(response: Response<Incoming>, sample: &mut Sample) -> Result<(), String> {
    let (mut body, mut pending, mut ended) = (response.into_body(), Vec::new(), false);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        pending.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            ended |= sample.line(String::from_utf8_lossy(&line).trim_end());
        }
    }
    if ended { Ok(()) } else { Err("the stream has no end".to_owned()) }
}

/// Numbers that look random and are the same in each run (SplitMix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn percent(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 100
    }
}

/// Requests to a route that come at a steady rate, whatever becomes of those before.
pub(crate) struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

/// What comes.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) route: String,
    /// Requests a second, over all proxies.
    pub(crate) rate: u32,
    /// Percentage of streams.
    pub(crate) streamed: u64,
    pub(crate) seed: u64,
}

impl Load {
    pub(crate) fn start(runtime: &Runtime, caller: &Caller, traffic: Traffic) -> Self {
        let samples = Arc::<Mutex<Vec<Sample>>>::default();
        let stop = CancellationToken::new();
        let ended = runtime.spawn(steady(caller.clone(), traffic, samples.clone(), stop.clone()));
        Self { samples, stop, ended }
    }

    /// What has been answered so far, looked at by `read`.
    pub(crate) fn look<T>(&self, read: impl FnOnce(&[Sample]) -> T) -> T {
        read(&self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends it, with the answers that are still to come; in the order in which they were asked.
    pub(crate) fn finish(self, runtime: &Runtime) -> Vec<Sample> {
        self.stop.cancel();
        runtime.block_on(self.ended).unwrap();
        let mut samples = std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner));
        samples.sort_by_key(|sample| sample.at);
        samples
    }
}

async fn steady(caller: Caller, traffic: Traffic, samples: Arc<Mutex<Vec<Sample>>>, stop: CancellationToken) {
    let mut draws = Draws(traffic.seed);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / traffic.rate);
    // A generator that was kept from running does not catch up with a burst.
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked = JoinSet::new();
    for number in 0.. {
        tokio::select! {
            _ = beat.tick() => {}
            () = stop.cancelled() => break,
        }
        let call = Call { explain: true, ..Call::new(&traffic.route, draws.percent() < traffic.streamed) };
        let (caller, samples) = (caller.clone(), samples.clone());
        asked.spawn(async move {
            let sample = caller.ask(number, &call).await;
            samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        });
        while asked.try_join_next().is_some() {}
    }
    while asked.join_next().await.is_some() {}
}

/// So many requests by so many clients, each sending its next one when the last one was answered.
pub(crate) fn flood(
    runtime: &Runtime,
    caller: &Caller,
    call: &Call,
    count: usize,
    clients: usize,
) -> Vec<Sample> {
    let next = Arc::new(AtomicUsize::new(0));
    let client = || {
        let (caller, call, next) = (caller.clone(), call.clone(), next.clone());
        async move {
            let mut samples = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return samples;
                }
                samples.push(caller.ask(number, &call).await);
            }
        }
    };
    runtime.block_on(async {
        let all: JoinSet<_> = (0..clients).map(|_| client()).collect();
        all.join_all().await.into_iter().flatten().collect()
    })
}
