//! What is measured: nginx and a proxy of ours, each alone on core 0, both in front of the same provider.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use testkit::{ADMIN_TOKEN, Http, JOIN_TOKEN, MASTER_KEY, Process, eventually};

use crate::provider::{CLAUDE, PACED, TRANSLATED};

/// How long nginx may take to listen.
const READY: Duration = Duration::from_secs(10);

/// A gateway under test.
pub(crate) struct Subject {
    pub(crate) addr: SocketAddr,
    pub(crate) pid: u32,
    /// The ops port of a proxy.
    ops: Option<String>,
    /// Killed when dropped.
    _process: Box<dyn Send>,
}

impl Subject {
    /// The share of its spans that never arrived at the collector, if it sent any.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn lost_spans(&self) -> anyhow::Result<Option<f64>> {
        let Some(ops) = &self.ops else { return Ok(None) };
        let text = Http::new(ops, None).get("/metrics")?.text();
        let sum = |metric: &str| -> f64 {
            let samples = text.lines().filter(|line| line.starts_with(metric));
            samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let (arrived, lost) = (sum("portcullis_spans_exported_total"), sum("portcullis_spans_dropped_total"));
        Ok((arrived + lost > 0.0).then(|| lost / (arrived + lost)))
    }
}

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail only when it is gone, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts nginx with `proxy_pass` as its manual advises it: HTTP/1.1 and kept connections to the provider, and room
/// for prompts of 64 KB without temporary files. No log, no limit, nothing counted.
pub(crate) fn nginx(dir: &Path, provider: SocketAddr) -> anyhow::Result<Subject> {
    let dir = dir.join("nginx");
    fs::create_dir_all(&dir)?;
    // nginx cannot be asked for a free port; this one was free a moment ago.
    let addr = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let place = text(&dir)?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {place}/{kind};\n"))
        .collect();
    // One process, which is the worker: its CPU time is everything that serving costs.
    let config = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n{temporary}  access_log off;\n  client_body_buffer_size 128k;\n\
         \x20 keepalive_requests 1000000000;\n\
         \x20 upstream provider {{ server {provider}; keepalive 64; keepalive_requests 1000000000; }}\n\
         \x20 server {{\n    listen {addr};\n    location / {{\n      proxy_pass http://provider;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n  }}\n}}\n"
    );
    let file = dir.join("nginx.conf");
    fs::write(&file, config)?;
    let args = ["-c", "0", "nginx", "-p", place, "-e", "stderr", "-c", text(&file)?];
    let child = Command::new("taskset").args(args).stdin(Stdio::null()).spawn().context("nginx")?;
    let nginx = Nginx(child);
    let pid = nginx.0.id();
    if !eventually(READY, || TcpStream::connect(addr).is_ok()) {
        bail!("nginx does not listen on {addr}");
    }
    Ok(Subject { addr, pid, ops: None, _process: Box::new(nginx) })
}

/// What all proxies share.
const SECRETS: [(&str, &str); 3] = [
    ("PORTCULLIS_MASTER_KEY", MASTER_KEY),
    ("PORTCULLIS_ADMIN_TOKEN", ADMIN_TOKEN),
    ("PORTCULLIS_JOIN_TOKEN", JOIN_TOKEN),
];
const COMMON: [&str; 5] = ["--ops-listen", "127.0.0.1:0", "--allow-private-networks", "--output", "json"];

/// A control plane with a ledger on SQLite, for proxies to join.
pub(crate) struct Control {
    process: Process,
    /// A tenant's.
    pub(crate) key: String,
    redis: Option<String>,
}

impl Control {
    /// Halts the process with the ledger in it. A proxy may lose its session after five seconds, the patience of a ping.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn halt(&self) -> anyhow::Result<()> {
        self.process.signal("STOP")
    }

    /// Lets the process go on.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn go_on(&self) -> anyhow::Result<()> {
        self.process.signal("CONT")
    }
}

/// How a proxy is started.
#[derive(Clone)]
pub(crate) struct Launcher {
    program: PathBuf,
    /// A command that runs the program in its own process, with arguments.
    under: Vec<String>,
}

impl Launcher {
    /// The proxy that was built with this bench.
    ///
    /// # Errors
    /// When it is missing.
    pub(crate) fn built() -> anyhow::Result<Self> {
        Ok(Self { program: binary("portcullis-proxy")?, under: Vec::new() })
    }

    /// Another proxy.
    ///
    /// # Errors
    /// When it is missing.
    pub(crate) fn of(program: &Path) -> anyhow::Result<Self> {
        let program = fs::canonicalize(program).with_context(|| program.display().to_string())?;
        Ok(Self { program, under: Vec::new() })
    }

    /// Starts the proxy by this command.
    pub(crate) fn under(self, command: Vec<String>) -> Self {
        Self { under: command, ..self }
    }
}

/// How much a proxy tells of its requests, and the flags for it. Metrics are always counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Telling {
    /// Neither spans nor log lines.
    Nothing,
    /// The spans of one request in a hundred.
    Sampled,
    /// All spans.
    Spans,
    /// All spans, and a log line for each request.
    Everything,
}

impl Telling {
    pub(crate) const MORE: [Self; 3] = [Self::Sampled, Self::Spans, Self::Everything];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "telemetry off",
            Self::Sampled => "spans of 1 % of the requests",
            Self::Spans => "spans of every request",
            Self::Everything => "spans and a log line of every request",
        }
    }

    /// The provider serves as the collector: it reads and forgets whatever is posted to it.
    fn flags(self, provider: SocketAddr) -> Vec<String> {
        let (log, share) = match self {
            Self::Nothing => return vec!["--log".to_owned(), "warn".to_owned()],
            Self::Sampled => ("warn", "0.01"),
            Self::Spans => ("warn", "1"),
            Self::Everything => ("info", "1"),
        };
        let endpoint = format!("http://{provider}");
        let flags =
            ["--otlp-protocol", "http", "--otlp-endpoint", &endpoint, "--trace-sample", share, "--log", log];
        flags.map(str::to_owned).to_vec()
    }
}

/// Starts the control plane and makes a tenant's key. With Redis the tenant has budgets, otherwise limits.
pub(crate) fn control(dir: &Path, provider: SocketAddr, redis: Option<String>) -> anyhow::Result<Control> {
    let data = dir.join("control-plane");
    let ports = ["--admin-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
    // In production the ledger has machines of its own. Here it gives way, and takes what waits when the load is over:
    // until then the gateway does not rest, and all its reporting counts.
    let program = binary("portcullis")?;
    let args = ["-n", "19", text(&program)?, "control-plane", "--data-dir", text(&data)?];
    let store = shared_store(redis.as_deref());
    let args = args.iter().chain(&ports).chain(&COMMON).chain(&store);
    let process = Process::spawn(Path::new("nice"), args, &SECRETS)?;
    let governed = match redis {
        // Never reached, always counted.
        None => json!({ "limits": [{ "per": "key", "requests": "1000000/min", "concurrent": 1000 }] }),
        Some(_) => {
            let budget = |window| json!({ "name": window, "cap": "$100000", "window": window });
            json!({ "budgets": [budget("hour"), budget("day"), budget("month")] })
        }
    };
    let key = configure(process.ready().admin.as_deref().context("no admin API")?, provider, &governed)?;
    Ok(Control { process, key, redis })
}

/// Starts a proxy that joins the control plane.
pub(crate) fn proxy(
    dir: &Path,
    provider: SocketAddr,
    control: &Control,
    telling: Telling,
    launcher: &Launcher,
) -> anyhow::Result<Subject> {
    let grpc = control.process.ready().grpc.as_deref().context("no gRPC port")?;
    let name = format!("proxy-{telling:?}").to_lowercase();
    let data = dir.join(&name);
    let args =
        ["--listen", "127.0.0.1:0", "--control-plane", grpc, "--name", &name, "--data-dir", text(&data)?];
    let store = shared_store(control.redis.as_deref());
    let args = args.iter().chain(&COMMON).chain(&store).map(|arg| (*arg).to_owned());
    let pinned = ["-c", "0"].map(str::to_owned).into_iter().chain(launcher.under.iter().cloned());
    let args = pinned.chain([text(&launcher.program)?.to_owned()]).chain(args).chain(telling.flags(provider));
    let process = Process::spawn(Path::new("taskset"), args, &SECRETS)?;
    let url = process.ready().data_plane.as_deref().context("no data plane")?;
    let addr = url.trim_start_matches("http://").parse()?;
    let ops = process.ready().ops.clone();
    Ok(Subject { addr, pid: process.id(), ops, _process: Box::new(process) })
}

/// The flags for a store that all proxies share.
fn shared_store(redis: Option<&str>) -> Vec<&str> {
    redis.map_or_else(Vec::new, |url| vec!["--redis-url", url])
}

/// What a governed application has: providers with a credential, routes, prices, a tenant with a key and limits.
fn configure(admin: &str, provider: SocketAddr, governed: &Value) -> anyhow::Result<String> {
    let paced = format!("bench/{PACED}");
    let translated = format!("messages/{CLAUDE}");
    let credential = json!({ "name": "main", "secret": { "value": "provider-secret-0123456789" } });
    let price = |model: &str| {
        json!({ "model": model, "effective_from": "2026-01-01",
                "input": "$2.50", "cached_input": "$1.25", "output": "$10" })
    };
    let mut document = json!({
        "apiVersion": "portcullis/v1",
        "providers": {
            "bench": {
                "kind": "custom",
                "base_url": format!("http://{provider}/v1"),
                "credentials": [credential],
            },
            "messages": {
                "kind": "anthropic",
                "base_url": format!("http://{provider}"),
                "credentials": [credential],
            },
        },
        "prices": [price("bench/chat"), price(&paced), price(&translated)],
        "routes": {
            "chat": { "targets": ["bench/chat"] },
            PACED: { "targets": [paced] },
            TRANSLATED: { "targets": [translated] },
        },
        "tenants": { "acme": governed },
    });
    document["tenants"]["acme"]["keys"] = json!([{ "name": "backend" }]);
    let reply = Http::new(admin, Some(ADMIN_TOKEN)).post("/api/v1/apply", &document)?;
    if reply.status != 200 {
        bail!("apply: {}", reply.text());
    }
    let key = reply.json()?["secrets"][0]["secret"].as_str().map(str::to_owned);
    key.context("apply returned no key")
}

/// One of our binaries, built as this one was.
fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.is_file() {
        bail!("{} is missing: `make bench` builds it", path.display());
    }
    Ok(path)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
