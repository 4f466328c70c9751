//! A Prometheus server of a test's own: on a temporary directory and a free port, scraping what the test names.

use std::{
    collections::BTreeMap,
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Http, eventually};

/// How long a server may take to its first answer, on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// Times that another port is tried, should somebody take the free one first.
const PORTS: usize = 5;

/// A running server; dropping it kills it.
pub struct Prometheus {
    dir: TempDir,
    http: Http,
    server: Child,
}

/// One series' labels (`__name__` among them, where the expression keeps it) and value.
pub type Sample = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// Starts a server that scrapes `targets`, each a job's name and `host:port`, five times a second, and evaluates
    /// the rules in `rules` as often.
    ///
    /// # Errors
    /// When there is no `prometheus` on the PATH, it refuses the rules, or it does not answer.
    pub fn start(targets: &[(&str, &str)], rules: Option<&Path>) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        std::fs::write(dir.path().join("prometheus.yml"), config(targets, rules))?;
        for _ in 1..PORTS {
            match Self::on_free_port(&dir) {
                Err(error) if error.to_string().contains("address already in use") => {}
                outcome => return outcome.map(|(http, server)| Self { dir, http, server }),
            }
        }
        Self::on_free_port(&dir).map(|(http, server)| Self { dir, http, server })
    }

    fn on_free_port(dir: &TempDir) -> anyhow::Result<(Http, Child)> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string();
        let written = File::create(log(dir))?;
        let mut server = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .context("prometheus cannot be started; on Debian: apt-get install prometheus")?;
        let http = Http::new(&format!("http://{address}"), None);
        let mut ended = false;
        let answers = || http.get("/-/ready").is_ok_and(|reply| reply.status == 200);
        let answered = eventually(READY, || {
            ended = !matches!(server.try_wait(), Ok(None));
            ended || answers()
        });
        if ended || !answered {
            // Both fail only when it is gone, which is what is wanted.
            let _ = server.kill();
            let _ = server.wait();
            bail!("prometheus is not ready:\n{}", std::fs::read_to_string(log(dir)).unwrap_or_default());
        }
        Ok((http, server))
    }

    /// What an expression is now.
    ///
    /// # Errors
    /// When it is no instant vector, or there is no answer.
    pub fn query(&self, expression: &str) -> anyhow::Result<Vec<Sample>> {
        let answer = self.get(&format!("/api/v1/query?query={}", percent_encoded(expression)))?;
        let samples = answer["result"].as_array().context("no result")?;
        samples.iter().map(sample).collect()
    }

    /// The value of an expression that is one series at most; 0 where it is none.
    ///
    /// # Errors
    /// As [`Self::query`], and when there are more.
    pub fn value(&self, expression: &str) -> anyhow::Result<f64> {
        match self.query(expression)?.as_slice() {
            [] => Ok(0.0),
            [(_, value)] => Ok(*value),
            more => bail!("{} series instead of one", more.len()),
        }
    }

    /// Why the last scrape of a target failed, by its address; none for targets that are well.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn failing(&self) -> anyhow::Result<Vec<(String, String)>> {
        let answer = self.get("/api/v1/targets?state=active")?;
        let targets = answer["activeTargets"].as_array().context("no targets")?;
        let text = |target: &Value, field: &str| target[field].as_str().unwrap_or_default().to_owned();
        let ill = targets.iter().filter(|target| target["health"] != "up");
        Ok(ill.map(|target| (text(target, "scrapeUrl"), text(target, "lastError"))).collect())
    }

    /// All rules, each with the state of its last evaluation: `ok`, `err` or `unknown`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn rules(&self) -> anyhow::Result<Vec<(String, String)>> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer["groups"].as_array().context("no groups")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        let text = |rule: &Value, field: &str| rule[field].as_str().unwrap_or_default().to_owned();
        Ok(rules.map(|rule| (text(rule, "name"), text(rule, "health"))).collect())
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let reply = self.http.get(path)?;
        let mut answer = reply.json()?;
        if answer["status"] != "success" {
            bail!("{}", answer["error"]);
        }
        Ok(answer["data"].take())
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(log(&self.dir)).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn log(dir: &TempDir) -> PathBuf {
    dir.path().join("prometheus.log")
}

/// YAML takes JSON's strings.
fn config(targets: &[(&str, &str)], rules: Option<&Path>) -> String {
    let rules = rules.map(|path| format!("rule_files: [{:?}]\n", path.display().to_string()));
    let jobs = targets.iter().map(|(job, target)| {
        format!("  - job_name: {job:?}\n    static_configs: [{{ targets: [{target:?}] }}]\n")
    });
    format!(
        "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }}\n{}\
         scrape_configs:\n{}",
        rules.unwrap_or_default(),
        jobs.collect::<String>()
    )
}

fn sample(sample: &Value) -> anyhow::Result<Sample> {
    let labels = sample["metric"].as_object().context("no labels")?;
    let labels =
        labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let value = sample["value"][1].as_str().context("no value")?;
    Ok((labels.collect(), value.parse()?))
}

fn percent_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_expressions_and_says_who_cannot_be_scraped() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
        let prometheus = Prometheus::start(&[("gone", &free)], None).unwrap();
        assert_eq!(prometheus.value("vector(2)").unwrap(), 2.0);
        assert!(prometheus.query("sum(").is_err());
        assert!(eventually(READY, || prometheus.value("up{job=\"gone\"} == bool 0").unwrap() == 1.0));
        let failing = prometheus.failing().unwrap();
        assert!(matches!(failing.as_slice(), [(url, error)] if url.contains(&free) && !error.is_empty()));
    }

    #[test]
    fn rules_that_cannot_be_read_are_an_error_with_its_words() {
        let dir = TempDir::new().unwrap();
        let rules = dir.path().join("rules.yml");
        std::fs::write(&rules, "groups: [{ name: g, rules: [{ alert: a, expr: 'sum(' }] }]").unwrap();
        let error = Prometheus::start(&[], Some(&rules)).err().unwrap().to_string();
        assert!(error.contains("could not parse expression"), "{error}");
    }
}
