//! Budgets in one process: what is refused and how that is said, what ends a reservation, and what a restart knows.

use std::io::Read as _;

use serde_json::{Value, json};
use testkit::{Http, Process, Reply, binary, eventually};

use crate::world::{SOON, World, admin, apply, client, secrets, text};

/// A gateway on SQLite; a request of `max_tokens` costs at most that many times $0.0001, and its input nothing.
struct Gateway {
    world: World,
    process: Process,
    key: String,
}

impl Gateway {
    /// With these budgets of the tenant `acme`.
    fn start(budgets: &Value) -> Self {
        let world = World::new();
        let process = standalone(&world);
        let mut document = world.document();
        document["prices"][0]["input"] = json!("$0");
        document["prices"][0]["output"] = json!("$100");
        document["tenants"]["acme"]["budgets"] = budgets.clone();
        let key = apply(&admin(&process), &document).unwrap();
        let gateway = Self { world, process, key };
        gateway.knows_the_key();
        gateway
    }

    fn knows_the_key(&self) {
        let knows = || self.client().get("/v1/models").is_ok_and(|reply| reply.status == 200);
        assert!(eventually(SOON, knows), "the key does not arrive");
    }

    fn client(&self) -> Http {
        client(&self.process, &self.key)
    }

    fn script(&self, model: &str, script: &Value) {
        let sim = Http::new(&format!("http://{}", self.world.provider.addr), None);
        assert_eq!(sim.put(&format!("/_sim/script/{model}"), script).unwrap().status, 204);
    }

    fn ask(&self, user: &str, max_tokens: u32) -> Reply {
        self.client().post("/v1/chat/completions", &chat(user, max_tokens)).unwrap()
    }

    /// Killed with what it has in flight, and started again on its directory.
    fn kill_and_restart(&mut self) {
        self.process.kill9().unwrap();
        self.process = standalone(&self.world);
        self.knows_the_key();
    }

    /// Until a request fits, as reservations come back.
    fn fits(&self, max_tokens: u32) -> bool {
        eventually(SOON, || self.ask("ada", max_tokens).status == 200)
    }
}

fn standalone(world: &World) -> Process {
    let dir = world.path("data");
    let any = "127.0.0.1:0";
    let args = ["standalone", "--no-demo", "--data-dir", text(&dir), "--listen", any, "--admin-listen", any];
    let more = ["--grpc-listen", any, "--ops-listen", any, "--allow-private-networks", "--output", "json"];
    Process::spawn(&binary("portcullis").unwrap(), args.iter().chain(&more), &secrets()).unwrap()
}

fn chat(user: &str, max_tokens: u32) -> Value {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    json!({ "model": "chat", "max_tokens": max_tokens, "user": user, "messages": messages })
}

#[test]
fn a_refusal_names_the_budget_in_every_dialect_and_asks_for_no_retry() {
    let gateway = Gateway::start(&json!([{ "name": "month", "cap": "$0.05", "time_zone": "Asia/Tokyo" }]));
    let user = json!([{ "role": "user", "content": "hello" }]);
    let parts = json!([{ "role": "user", "parts": [{ "text": "hello" }] }]);
    let blocks = json!([{ "role": "user", "content": [{ "text": "hello" }] }]);
    let calls = [
        ("/v1/chat/completions", json!({ "model": "chat", "max_tokens": 600, "messages": user })),
        ("/v1/responses", json!({ "model": "chat", "max_output_tokens": 600, "input": "hello" })),
        ("/v1/messages", json!({ "model": "chat", "max_tokens": 600, "messages": user })),
        (
            "/v1beta/models/chat:generateContent",
            json!({ "contents": parts, "generationConfig": { "maxOutputTokens": 600 } }),
        ),
        ("/v2/chat", json!({ "model": "chat", "max_tokens": 600, "messages": user })),
        ("/model/chat/converse", json!({ "messages": blocks, "inferenceConfig": { "maxTokens": 600 } })),
    ];
    for (path, body) in calls {
        let refused = gateway.client().post(path, &body).unwrap();
        let said = refused.text();
        assert_eq!(refused.status, 429, "{path}: {said}");
        assert!(said.contains("budget \\\"month\\\" of acme has no room"), "{path}: {said}");
        assert!(
            said.contains("$0.05 of $0.05 left until") && said.contains("it may cost $0.06"),
            "{path}: {said}"
        );
        assert_eq!(refused.header("x-should-retry"), Some("false"), "{path}");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=32 * 86_400).contains(&seconds), "{path}: {seconds}");
    }
    assert_eq!(gateway.ask("ada", 500).status, 200, "what fits is answered");
}

#[test]
fn every_user_has_a_cap_and_what_only_counts_refuses_nobody() {
    let gateway = Gateway::start(&json!([
        { "name": "each", "cap": "$0.02", "per": "user", "window": "day" },
        { "name": "watched", "cap": "$0.000001", "window": "total", "observe": true },
        { "name": "told", "cap": "$0.000001", "window": "hour", "at_cap": "alert" },
    ]));
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    let statuses = |user: &str| [0; 3].map(|_| gateway.ask(user, 100).status);
    assert_eq!(statuses("ada"), [200, 200, 429]);
    assert_eq!(statuses("bob"), [200, 200, 429]);
    let usage =
        || admin(&gateway.process).get("/api/v1/usage/budgets").unwrap().json().unwrap()["items"].clone();
    let spent = |budget: &str| {
        let items = usage();
        let of_it = items.as_array().unwrap().iter().filter(|item| item["budget"] == json!(budget));
        let sums = of_it.map(|item| (item["value"].clone(), item["spent_usd"].as_str().unwrap().to_owned()));
        let mut sums: Vec<_> = sums.collect();
        sums.sort_by(|one, other| one.0.as_str().cmp(&other.0.as_str()));
        sums
    };
    let each = vec![(json!("ada"), "0.02".to_owned()), (json!("bob"), "0.02".to_owned())];
    assert!(eventually(SOON, || spent("each") == each), "{:?}", spent("each"));
    // What only counts has passed its cap.
    assert_eq!(spent("watched"), [(Value::Null, "0.04".to_owned())]);
    assert_eq!(spent("told"), [(Value::Null, "0.04".to_owned())]);
}

#[test]
fn a_request_without_a_limit_is_sent_with_the_one_that_is_reserved() {
    let gateway = Gateway::start(&json!([
        { "name": "bot", "cap": "$0.0006", "window": "day", "for": { "feature": "bot" } },
        { "name": "watched", "cap": "$0.0001", "window": "day", "observe": true },
    ]));
    let models = json!({ "sim/m": { "max_output": 5 } });
    let limited = json!({ "apiVersion": "portcullis/v1", "models": models });
    assert_eq!(admin(&gateway.process).post("/api/v1/apply", &limited).unwrap().status, 200);
    let words = "one two three four five six seven eight nine ten";
    let chat = json!({ "model": "chat", "messages": [{ "role": "user", "content": words }] });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": words }] }] });
    let bot = |path: &str, body: &Value| {
        let headers = [("x-portcullis-feature", "bot")];
        gateway.client().request("POST", path, &headers, Some(body.to_string().as_bytes())).unwrap()
    };
    let answer = |reply: &Reply| reply.json().unwrap()["choices"][0].clone();
    // The model's limit arrives by Watch.
    let mut reply = bot("/v1/chat/completions", &chat);
    let arrived = || {
        reply = bot("/v1/chat/completions", &chat);
        reply.status == 200
    };
    assert!(eventually(SOON, arrived), "{}", reply.text());
    assert_eq!(reply.header("x-portcullis-output-limit"), Some("5"));
    assert_eq!(answer(&reply)["finish_reason"], json!("length"), "{}", reply.text());
    let sim = Http::new(&format!("http://{}", gateway.world.provider.addr), None);
    let last = sim.get("/_sim/requests?model=m").unwrap().json().unwrap();
    let number = last["requests"].as_array().unwrap().last().unwrap()["n"].clone();
    let body = sim.get(&format!("/_sim/requests/{number}/body")).unwrap().text();
    let written = chat.to_string();
    let sent = format!(r#"{},"max_completion_tokens":5}}"#, written.trim_end_matches('}'));
    let expected = sent.replace(r#""model":"chat""#, r#""model":"m""#);
    assert_eq!(body, expected, "nothing but the model and the limit is written");
    // The same for what is translated, and in a stream.
    let path = "/v1beta/models/chat:generateContent";
    assert!(eventually(SOON, || bot(path, &gemini).status == 429), "5 of 6 units are spent");
    // A budget that does not count a request, or does not hold it, changes nothing of it.
    let free = gateway.client().post("/v1/chat/completions", &chat).unwrap();
    assert_eq!((free.status, free.header("x-portcullis-output-limit")), (200, None));
    assert_eq!(answer(&free)["finish_reason"], json!("stop"));
}

#[test]
fn an_attempt_that_cost_nothing_gives_back_and_the_next_one_draws() {
    let gateway = Gateway::start(&json!([{ "name": "day", "cap": "$0.01", "window": "day" }]));
    // The whole cap for one attempt.
    for failing in [json!([{ "status": 503 }, {}]), json!([{ "status": 429 }, {}])] {
        gateway.script("m", &failing);
        let answered = eventually(SOON, || gateway.ask("ada", 95).status == 200);
        assert!(answered, "{failing}");
    }
}

#[test]
fn a_model_without_a_price_is_refused_where_a_budget_counts() {
    let gateway = Gateway::start(&json!([{ "name": "day", "cap": "$1", "window": "day" }]));
    let body =
        json!({ "model": "sim/other", "max_tokens": 5, "messages": [{ "role": "user", "content": "x" }] });
    let refused = gateway.client().post("/v1/chat/completions", &body).unwrap();
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("sim/other has no price"), "{}", refused.text());
}

#[test]
fn a_client_that_hangs_up_frees_what_its_stream_did_not_use() {
    let gateway = Gateway::start(&json!([{ "name": "day", "cap": "$0.02", "window": "day" }]));
    gateway.script("m", &json!({ "chunks": 50, "chunk_delay_ms": 100 }));
    for _ in 0..5 {
        let mut body = chat("ada", 150);
        body["stream"] = json!(true);
        let mut streaming = gateway.client().open("/v1/chat/completions", &[], &body).unwrap();
        assert_eq!(streaming.status, 200);
        let mut first = [0; 64];
        assert!(streaming.body.read(&mut first).unwrap() > 0);
        drop(streaming);
        // The whole reserve of 0.015 is needed again.
        gateway.script("m", &json!({}));
        assert!(gateway.fits(150), "the reservation of a stream that was hung up stays drawn");
        gateway.script("m", &json!({ "chunks": 50, "chunk_delay_ms": 100 }));
    }
}

#[test]
fn after_a_kill_what_was_in_flight_counts_at_its_reservation() {
    let mut gateway = Gateway::start(&json!([{ "name": "total", "cap": "$0.10", "window": "total" }]));
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    assert_eq!(gateway.ask("ada", 100).status, 200);
    gateway.script("m", &json!({ "hang": "before_headers" }));
    let sim = Http::new(&format!("http://{}", gateway.world.provider.addr), None);
    let reached =
        || sim.get("/_sim/requests?model=m").unwrap().json().unwrap()["requests"].as_array().unwrap().len();
    std::thread::scope(|scope| {
        let (client, before) = (gateway.client(), reached());
        // It ends with the process.
        scope.spawn(move || drop(client.post("/v1/chat/completions", &chat("ada", 600))));
        assert!(eventually(SOON, || reached() > before), "the request does not reach the provider");
        gateway.process.kill9().unwrap();
    });
    gateway.kill_and_restart();
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    // 0.01 and 0.06 of 0.10 are spent: 0.03 is left.
    let refused = gateway.ask("ada", 301);
    assert_eq!(refused.status, 429, "{}", refused.text());
    let statuses = [0; 4].map(|_| gateway.ask("ada", 100).status);
    assert_eq!(statuses, [200, 200, 200, 429]);
    let cost = || {
        let usage = admin(&gateway.process).get("/api/v1/usage").unwrap().json().unwrap();
        usage["items"][0]["cost_usd"].as_str().unwrap_or_default().to_owned()
    };
    assert!(eventually(SOON, || cost() == "0.1"), "the ledger has {}", cost());
    let usage = admin(&gateway.process).get("/api/v1/usage/budgets?tenant=acme").unwrap().json().unwrap();
    let item = &usage["items"][0];
    assert_eq!(
        [&item["budget"], &item["spent_usd"], &item["left_usd"]],
        [&json!("total"), &json!("0.1"), &json!("0")]
    );
    assert_eq!((&item["used"], &item["value"], &item["ends"]), (&json!(1.0), &Value::Null, &Value::Null));
}

#[test]
fn after_a_crash_of_the_machine_no_rebuild_waits_for_the_folders_old_id() {
    let mut gateway = Gateway::start(&json!([{ "name": "total", "cap": "$0.10", "window": "total" }]));
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    assert_eq!(gateway.ask("ada", 100).status, 200);
    gateway.process.kill9().unwrap();
    // What tells the machine's boots apart stands behind magic and id, the check behind the number of starts.
    let file = gateway.world.path("data").join("proxy/spool/authority");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[24..40].fill(7);
    let check = crc32c::crc32c(&bytes[..48]);
    bytes[48..52].copy_from_slice(&check.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    gateway.kill_and_restart();
    assert!(gateway.fits(500), "the book waits for a proxy that never comes back");
    // 0.01 of before the crash and 0.01 of now are spent.
    assert_eq!(gateway.ask("ada", 900).status, 429, "what was spent before is forgotten");
}

#[test]
fn budgets_of_tenants_above_apply_too() {
    let gateway = Gateway::start(&json!([]));
    let document = json!({
        "apiVersion": "portcullis/v1",
        "tenants": {
            "holding": { "budgets": [{ "name": "all", "cap": "$0.03", "window": "total" }] },
            "sales": { "parent": "holding", "keys": [{ "name": "s" }] },
            "support": { "parent": "holding", "keys": [{ "name": "t" }] },
        },
    });
    let reply = admin(&gateway.process).post("/api/v1/apply", &document).unwrap().json().unwrap();
    let keys = ["sales", "support"].map(|tenant| {
        let secrets = reply["secrets"].as_array().unwrap();
        let found = secrets.iter().find(|secret| secret["tenant"] == json!(tenant)).unwrap();
        found["secret"].as_str().unwrap().to_owned()
    });
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    let clients = keys.map(|key| client(&gateway.process, &key));
    let knows = || clients.iter().all(|http| http.get("/v1/models").unwrap().status == 200);
    assert!(eventually(SOON, knows));
    let ask = |number: usize| clients[number % 2].post("/v1/chat/completions", &chat("ada", 100)).unwrap();
    let replies: Vec<Reply> = (0..4).map(ask).collect();
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [200, 200, 200, 429]);
    assert!(replies[3].text().contains("budget \\\"all\\\" of holding"), "{}", replies[3].text());
}

#[test]
fn a_raised_cap_is_in_force_at_once_and_what_was_spent_stays() {
    let gateway = Gateway::start(&json!([{ "name": "day", "cap": "$0.01", "window": "day" }]));
    gateway.script("m", &json!({ "prompt_tokens": 1, "completion_tokens": 100 }));
    assert_eq!([0; 2].map(|_| gateway.ask("ada", 100).status), [200, 429]);
    let mut document = gateway.world.document();
    document["prices"] =
        json!([{ "model": "sim/m", "effective_from": "2026-01-01", "input": "$0", "output": "$100" }]);
    document["tenants"]["acme"]["budgets"] = json!([{ "name": "day", "cap": "$0.03", "window": "day" }]);
    apply(&admin(&gateway.process), &document);
    assert!(gateway.fits(100), "the raised cap does not arrive");
    let rest = [0; 2].map(|_| gateway.ask("ada", 100).status);
    assert_eq!(rest, [200, 429]);
}
