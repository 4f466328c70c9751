//! PostgreSQL, Redis, a control plane, two ledgers, four proxies, and the provider that takes the money.

use std::time::Instant;

use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Http, JOIN_TOKEN, MASTER_KEY, Postgres, Process, Redis, binary, eventually};
use tokio::runtime::Runtime;

use crate::{
    load::Caller,
    sim::Sim,
    world::{SOON, World, admin, apply},
};

/// How many proxies there are.
pub(crate) const PROXIES: usize = 4;
const ANY_PORT: &str = "127.0.0.1:0";

/// What all scenes play on.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) admin: Http,
    pub(crate) runtime: Runtime,
    pub(crate) redis: Redis,
    pub(crate) proxies: Vec<Process>,
    pub(crate) ledgers: Vec<Process>,
    control: Process,
    postgres: Postgres,
    world: World,
    epoch: Instant,
}

impl Stage {
    pub(crate) fn start() -> Self {
        let world = World::new();
        let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
        let control = spawn("portcullis-control-plane", &postgres, &redis, &control_args());
        let ledgers = (0..2).map(|_| ledger(&postgres, &redis, None)).collect();
        let sim = Sim::new(&format!("http://{}", world.provider.addr));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let admin = admin(&control);
        let epoch = Instant::now();
        let mut stage = Self {
            sim,
            admin,
            runtime,
            redis,
            proxies: Vec::new(),
            ledgers,
            control,
            postgres,
            world,
            epoch,
        };
        for number in 0..PROXIES {
            let proxy = stage.proxy(number, ANY_PORT);
            stage.proxies.push(proxy);
        }
        stage
    }

    /// Starts a proxy on its folder.
    fn proxy(&self, number: usize, listen: &str) -> Process {
        let control = self.control.ready().grpc.as_ref().unwrap();
        let ledger = self.ledgers[number % 2].ready().grpc.as_ref().unwrap();
        let dir = self.world.path(&format!("proxy-{number}"));
        let (name, dir) = (format!("proxy-{number}"), dir.to_str().unwrap());
        let args = ["--control-plane", control, "--ledger", ledger, "--name", &name, "--data-dir", dir];
        let more =
            ["--listen", listen, "--ops-listen", ANY_PORT, "--allow-private-networks", "--output", "json"];
        let args: Vec<&str> = args.into_iter().chain(more).collect();
        spawn("portcullis-proxy", &self.postgres, &self.redis, &args)
    }

    /// Starts a proxy that was killed where it was.
    pub(crate) fn restart_proxy(&mut self, number: usize) {
        let url = self.proxies[number].ready().data_plane.clone().unwrap();
        self.proxies[number] = self.proxy(number, &url.replace("http://", ""));
    }

    /// Starts a ledger that was killed where it was.
    pub(crate) fn restart_ledger(&mut self, number: usize) {
        self.ledgers[number] = ledger(&self.postgres, &self.redis, Some(&self.ledgers[number]));
    }

    /// Applies what a scene needs for its tenant, and waits until every proxy knows the key.
    pub(crate) fn install(&self, document: &Value) -> Caller {
        let key = apply(&self.admin, document).unwrap();
        let knows = |proxy: &Process| {
            let http = Http::new(proxy.ready().data_plane.as_ref().unwrap(), Some(&key));
            http.get("/v1/models").is_ok_and(|reply| reply.status == 200)
        };
        assert!(eventually(SOON, || self.proxies.iter().all(knows)), "the key does not arrive");
        let urls = self.proxies.iter().map(|proxy| proxy.ready().data_plane.clone().unwrap()).collect();
        Caller::new(urls, &key).since(self.epoch)
    }

    /// A provider of the scene's own, whose requests the simulator counts by the model's name.
    pub(crate) fn provider(&self) -> Value {
        json!({
            "kind": "custom",
            "base_url": format!("http://{}/v1", self.world.provider.addr),
            "credentials": [{ "name": "main", "secret": { "value": "provider-secret-0123456789" } }],
        })
    }

    /// What the root of budgets has booked for a tenant's one budget, in nano-dollars.
    pub(crate) fn spent(&self, tenant: &str) -> i64 {
        let budgets = self.admin.get(&format!("/api/v1/budgets?tenant={tenant}")).unwrap().json().unwrap();
        let id = budgets["items"][0]["id"].as_str().unwrap().parse().unwrap();
        let spent = self.runtime.block_on(async {
            let store = store::Store::open(&self.postgres.url()).await.unwrap();
            let spent = store.spent(id, 0).await.unwrap();
            store.close().await;
            spent
        });
        spent.iter().map(|(_, cost)| cost.nanos()).sum()
    }

    /// What all proxies and ledgers complained of, for what went wrong.
    pub(crate) fn warnings(&self) -> String {
        let logs = self.proxies.iter().chain(&self.ledgers).map(Process::stderr);
        let complaint = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        logs.map(|log| log.lines().filter(complaint).map(|line| format!("{line}\n")).collect::<String>())
            .collect()
    }
}

fn control_args() -> [&'static str; 9] {
    let address = [ANY_PORT; 3];
    let [admin, grpc, ops] = address;
    [
        "--admin-listen",
        admin,
        "--grpc-listen",
        grpc,
        "--ops-listen",
        ops,
        "--allow-private-networks",
        "--output",
        "json",
    ]
}

fn ledger(postgres: &Postgres, redis: &Redis, before: Option<&Process>) -> Process {
    let grpc = before.and_then(|before| before.ready().grpc.clone());
    let grpc = grpc.map_or(ANY_PORT.to_owned(), |url| url.replace("http://", ""));
    let args = ["--grpc-listen", &grpc, "--ops-listen", ANY_PORT, "--output", "json"];
    spawn("portcullis-ledger", postgres, redis, &args)
}

fn spawn(name: &str, postgres: &Postgres, redis: &Redis, args: &[&str]) -> Process {
    let (database, store) = (postgres.url(), redis.url());
    let environment = [
        ("PORTCULLIS_DATABASE_URL", database.as_str()),
        ("PORTCULLIS_REDIS_URL", store.as_str()),
        ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
        ("PORTCULLIS_ADMIN_TOKEN", ADMIN_TOKEN),
        ("PORTCULLIS_JOIN_TOKEN", JOIN_TOKEN),
    ];
    Process::spawn(&binary(name).unwrap(), args, &environment).unwrap()
}
