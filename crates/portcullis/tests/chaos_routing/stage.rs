//! Redis, a control plane, three proxies of one region, and the provider that all of them lean on.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::{Http, Process, Redis, eventually};
use tokio::runtime::Runtime;

use crate::{
    load::Caller,
    sim::Sim,
    world::{SOON, World, admin, apply, client},
};

/// Where the proxies are.
pub(crate) const REGION: &str = "eu-west";
/// How many there are.
pub(crate) const PROXIES: usize = 3;

/// What all scenes play on.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) admin: Http,
    pub(crate) runtime: Runtime,
    pub(crate) caller: Caller,
    base_url: String,
    clients: Vec<Http>,
    proxies: Vec<Process>,
    _control: Process,
    _redis: Redis,
    world: World,
}

impl Stage {
    pub(crate) fn start() -> Self {
        let world = World::new();
        let redis = Redis::start().unwrap();
        let control = world.control_plane(None);
        let admin = admin(&control);
        let key = apply(
            &admin,
            &json!({
                "apiVersion": "portcullis/v1",
                "tenants": { "acme": { "keys": [{ "name": "backend" }] } },
            }),
        );
        let key = key.unwrap();
        let grpc = control.ready().grpc.clone().unwrap();
        let url = redis.url();
        let flags = ["--redis-url", &url, "--region", REGION];
        let proxies: Vec<Process> = std::thread::scope(|scope| {
            let start = |n| {
                scope.spawn({
                    let (world, grpc) = (&world, &grpc);
                    move || world.proxy_with(grpc, &format!("proxy-{n}"), &flags)
                })
            };
            let starting: Vec<_> = (0..PROXIES).map(start).collect();
            starting.into_iter().map(|proxy| proxy.join().unwrap()).collect()
        });
        let origin = format!("http://{}", world.provider.addr);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let clients: Vec<Http> = proxies.iter().map(|proxy| client(proxy, &key)).collect();
        let urls = proxies.iter().map(|proxy| proxy.ready().data_plane.clone().unwrap()).collect();
        let caller = Caller::new(urls, &key);
        let (sim, base_url) = (Sim::new(&origin), format!("{origin}/v1"));
        Self {
            sim,
            admin,
            runtime,
            caller,
            base_url,
            clients,
            proxies,
            _control: control,
            _redis: redis,
            world,
        }
    }

    /// A provider at the simulator with a key of its own; `more` is merged into it.
    pub(crate) fn provider(&self, more: Value) -> Value {
        let mut provider = json!({
            "kind": "custom",
            "base_url": self.base_url,
            "credentials": [{ "name": "main", "secret": { "value": "provider-secret-0123456789" } }],
        });
        let fields = provider.as_object_mut().unwrap();
        if let Value::Object(more) = more {
            fields.extend(more);
        }
        provider
    }

    /// Where the provider listens.
    pub(crate) fn provider_address(&self) -> SocketAddr {
        self.world.provider.addr
    }

    /// Applies a scene's document and waits until every proxy serves its routes.
    pub(crate) fn install(&self, document: &Value) {
        let routes: Vec<String> = document["routes"].as_object().unwrap().keys().cloned().collect();
        let mut whole = json!({ "apiVersion": "portcullis/v1" });
        whole.as_object_mut().unwrap().extend(document.as_object().unwrap().clone());
        apply(&self.admin, &whole);
        let serves = |http: &Http| {
            let models = http.get("/v1/models").unwrap().text();
            routes.iter().all(|route| models.contains(&format!("\"{route}\"")))
        };
        let all = || self.clients.iter().all(serves);
        assert!(eventually(SOON, all), "the routes {routes:?} do not arrive");
    }

    /// Forgets what reached the provider; its clock and the scene's begin now.
    pub(crate) fn begin(&self) -> Caller {
        self.sim.reset();
        self.caller.since(Instant::now())
    }

    /// What the proxies complained of, for what went wrong.
    pub(crate) fn warnings(&self) -> String {
        let logs: Vec<String> = self.proxies.iter().map(Process::stderr).collect();
        let complaint = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        logs.iter().flat_map(|log| log.lines()).filter(complaint).collect::<Vec<_>>().join("\n")
    }
}

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
