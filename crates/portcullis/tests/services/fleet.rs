//! A fleet: PostgreSQL, control planes, ledgers and proxies, each a process of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use testkit::{ADMIN_TOKEN, Http, JOIN_TOKEN, MASTER_KEY, Postgres, Process, binary};

use crate::world::{World, admin, apply};

const ANY_PORT: &str = "127.0.0.1:0";

/// One test at a time: some of them measure, and each keeps a small machine busy.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two control planes, two ledgers, three proxies that follow the second control plane.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) postgres: Postgres,
    pub(crate) controls: Vec<Process>,
    pub(crate) ledgers: Vec<Process>,
    pub(crate) proxies: Vec<Process>,
    /// A tenant's key.
    pub(crate) key: String,
    _turn: MutexGuard<'static, ()>,
}

impl Fleet {
    pub(crate) fn start() -> Self {
        let turn = alone();
        let world = World::new();
        let postgres = Postgres::start().unwrap();
        let url = postgres.url();
        // All at once: the first process makes the schema, the others wait for it.
        let (controls, ledgers) = std::thread::scope(|scope| {
            let controls = [0, 1].map(|_| scope.spawn(|| control_plane(&url, None)));
            let ledgers = [0, 1].map(|_| scope.spawn(|| ledger(&url, None)));
            (
                controls.map(|started| started.join().unwrap()).into(),
                ledgers.map(|started| started.join().unwrap()).into(),
            )
        });
        let mut fleet =
            Self { world, postgres, controls, ledgers, proxies: Vec::new(), key: String::new(), _turn: turn };
        fleet.key = apply(&fleet.admin(0), &fleet.world.document()).unwrap();
        for number in 0..3 {
            let proxy = fleet.proxy(number);
            fleet.proxies.push(proxy);
        }
        fleet
    }

    /// The admin API of one of the control planes.
    pub(crate) fn admin(&self, control: usize) -> Http {
        admin(&self.controls[control])
    }

    /// A client of each proxy.
    pub(crate) fn clients(&self) -> Vec<Http> {
        self.proxies.iter().map(|proxy| crate::world::client(proxy, &self.key)).collect()
    }

    /// Starts one of the proxies in its directory.
    pub(crate) fn proxy(&self, number: usize) -> Process {
        let control = self.controls[1].ready().grpc.as_ref().unwrap();
        let ledger = self.ledgers[number % 2].ready().grpc.as_ref().unwrap();
        self.world.proxy_with(control, &format!("proxy-{number}"), &["--ledger", ledger])
    }

    /// Starts a killed control plane on the ports it had.
    pub(crate) fn restart_control(&mut self, number: usize) {
        self.controls[number] = control_plane(&self.postgres.url(), Some(&self.controls[number]));
    }

    /// Starts a killed ledger on the port it had.
    pub(crate) fn restart_ledger(&mut self, number: usize) {
        self.ledgers[number] = ledger(&self.postgres.url(), Some(&self.ledgers[number]));
    }
}

/// What a process finds in its environment; the database's address holds a password.
pub(crate) fn environment(database: &str) -> [(&'static str, &str); 4] {
    [
        ("PORTCULLIS_DATABASE_URL", database),
        ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
        ("PORTCULLIS_ADMIN_TOKEN", ADMIN_TOKEN),
        ("PORTCULLIS_JOIN_TOKEN", JOIN_TOKEN),
    ]
}

/// A URL's host and port, or any port.
fn address(url: Option<&String>) -> String {
    url.map_or(ANY_PORT.to_owned(), |url| url.replace("http://", ""))
}

pub(crate) fn control_plane(database: &str, before: Option<&Process>) -> Process {
    let ready = before.map(Process::ready);
    let admin = address(ready.and_then(|ready| ready.admin.as_ref()));
    let grpc = address(ready.and_then(|ready| ready.grpc.as_ref()));
    let args = ["--admin-listen", &admin, "--grpc-listen", &grpc, "--ops-listen", ANY_PORT];
    let more = ["--allow-private-networks", "--output", "json"];
    let args = args.iter().chain(&more);
    Process::spawn(&binary("portcullis-control-plane").unwrap(), args, &environment(database)).unwrap()
}

fn ledger(database: &str, before: Option<&Process>) -> Process {
    let grpc = address(before.and_then(|before| before.ready().grpc.as_ref()));
    let args = ["--grpc-listen", &grpc, "--ops-listen", ANY_PORT, "--output", "json"];
    Process::spawn(&binary("portcullis-ledger").unwrap(), args, &environment(database)).unwrap()
}

/// Ids of the requests in the ledger.
pub(crate) fn request_id(request: &Value) -> &str {
    request["request_id"].as_str().unwrap()
}
