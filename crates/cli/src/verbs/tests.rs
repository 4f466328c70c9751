//! The verbs against a scripted server on a real socket: what they ask, what they show, how they exit.

mod requests;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread::JoinHandle,
};

use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: AdminCommand,
}

/// Answers one connection per scripted answer and hands back what was asked.
fn server(answers: Vec<(u16, Value)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        answers
            .into_iter()
            .map(|(status, body)| {
                let (mut stream, _) = listener.accept().unwrap();
                let asked = read_request(&mut BufReader::new(&stream));
                let body = if body.is_null() { String::new() } else { body.to_string() };
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                asked
            })
            .collect()
    });
    (url, thread)
}

fn read_request(stream: &mut impl BufRead) -> String {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn ask(arguments: &[&str], answers: Vec<(u16, Value)>) -> (Result<(), CliError>, String, Vec<String>) {
    let (url, thread) = server(answers);
    let arguments = ["portcullis"].iter().chain(arguments).copied();
    let command =
        Cli::try_parse_from(arguments.chain(["--server", &url, "--token", "test-token"])).unwrap().command;
    let mut out = Vec::new();
    let result = run(command, &mut out);
    (result, String::from_utf8(out).unwrap(), thread.join().unwrap())
}

fn document() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = "apiVersion: portcullis/v1\nproviders: { a: { kind: custom, credentials: [ { name: m, secret: { value: hush } } ] } }";
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn reply(change: &str) -> Value {
    json!({
        "version": { "store": "019aa8b7-d400-7000-8000-000000000000", "revision": 7 },
        "changes": [{ "kind": "provider", "name": "a", "change": change, "fields": ["region"] }],
    })
}

#[test]
fn apply_sends_secrets_by_value_and_shows_what_happened() {
    let file = document();
    let path = file.path().to_str().unwrap();
    let (result, shown, asked) = ask(&["apply", "-f", path, "--prune"], vec![(200, reply("update"))]);
    result.unwrap();
    assert_eq!(shown, "provider a updated\nconfiguration revision 7\n");
    assert!(asked[0].starts_with("POST /api/v1/apply?prune=true HTTP/1.1"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("authorization: bearer test-token"));
    assert!(asked[0].contains(r#""secret":{"value":"hush"}"#));
}

#[test]
fn diff_exits_as_kubectl_does() {
    let file = document();
    let path = file.path().to_str().unwrap();
    let (same, shown, asked) = ask(&["diff", "-f", path], vec![(200, reply("unchanged"))]);
    assert!(same.is_ok() && shown.is_empty() && asked[0].contains("dry_run=true"));
    let (differs, shown, _) = ask(&["diff", "-f", path], vec![(200, reply("update"))]);
    let differs = differs.unwrap_err();
    assert!(differs.exit_code() == 1 && differs.is_silent());
    assert_eq!(shown, "~ provider a: region\n");
    let problem =
        json!({ "type": "t", "title": "t", "status": 400, "detail": "providers.a.kind: no such kind" });
    let (failed, _, _) = ask(&["diff", "-f", path], vec![(400, problem)]);
    let failed = failed.unwrap_err();
    assert_eq!((failed.exit_code(), failed.to_string().as_str()), (2, "providers.a.kind: no such kind"));
}

#[test]
fn get_reads_every_page_and_single_resources() {
    let page = |name: &str, next: Value| {
        (200, json!({ "items": [{ "name": name, "kind": "openai" }], "next": next }))
    };
    let (result, shown, asked) =
        ask(&["get", "provider", "-t", "acme"], vec![page("a", json!("c1")), page("b", Value::Null)]);
    result.unwrap();
    assert_eq!(shown, "NAME   KIND\na      openai\nb      openai\n");
    assert!(asked[0].starts_with("GET /api/v1/providers?limit=500&tenant=acme "), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /api/v1/providers?limit=500&tenant=acme&cursor=c1 "), "{}", asked[1]);
    let one = json!({ "name": "a/b c", "context": 5 });
    let (result, shown, asked) = ask(&["get", "models", "a/b c", "-o", "yaml"], vec![(200, one)]);
    result.unwrap();
    assert_eq!(shown, "name: a/b c\ncontext: 5\n");
    assert!(asked[0].starts_with("GET /api/v1/models/a/b%20c "), "{}", asked[0]);
}

#[test]
fn delete_rotate_and_usage_ask_the_right_paths() {
    let (result, shown, asked) = ask(&["delete", "tenant", "acme", "--cascade"], vec![(204, Value::Null)]);
    assert!(result.is_ok() && asked[0].starts_with("DELETE /api/v1/tenants/acme?cascade=true "));
    assert_eq!(shown, "tenant acme deleted\n");
    let key = json!({ "name": "backend", "secret": "sk-pc-x" });
    let (_, shown, asked) = ask(&["rotate", "backend", "-t", "acme", "--grace", "1h"], vec![(200, key)]);
    assert!(asked[0].starts_with("POST /api/v1/keys/backend/rotate?tenant=acme&grace=1h "), "{}", asked[0]);
    assert!(shown.contains("sk-pc-x"));
    let rows = json!({ "items": [{ "route": "chat", "requests": 3, "cost_usd": "0.1", "reasoning": 5, "pages": 0 }] });
    let (_, shown, asked) = ask(&["usage", "--group-by", "route"], vec![(200, rows)]);
    assert!(asked[0].starts_with("GET /api/v1/usage?group_by=route "), "{}", asked[0]);
    assert_eq!(shown, "ROUTE   REQUESTS   COST-USD   REASONING\nchat    3          0.1        5\n");
    let nothing = json!({ "items": [] });
    let (_, _, asked) = ask(&["usage", "-t", "holding", "--subtree"], vec![(200, nothing)]);
    assert!(
        asked[0].starts_with("GET /api/v1/usage?group_by=tenant&tenant=holding&subtree=true "),
        "{}",
        asked[0]
    );
}

#[test]
fn budgets_of_a_tenant_are_its_own_and_those_above_it() {
    let item = |tenant: &str, name: &str, fields: Value| {
        let mut item = json!({ "id": "1", "name": name, "tenant": tenant, "revision": 4 });
        admin_api::merge(&mut item, fields);
        json!({ "items": [item] })
    };
    let answers = vec![
        (200, json!({ "name": "sales", "parent": "holding" })),
        (200, item("sales", "run", json!({ "cap": "5", "per": "session" }))),
        (200, json!({ "name": "holding" })),
        (200, item("holding", "all", json!({ "cap": "900", "window": "total" }))),
        (
            200,
            json!({ "items": [
                { "tenant": "sales", "budget": "run", "value": "s1", "spent_usd": "0.5", "used": 0.1 },
                { "tenant": "sales", "budget": "run", "value": "s2", "spent_usd": "4.5", "used": 0.9 },
            ] }),
        ),
    ];
    let (result, shown, asked) = ask(&["budgets", "-t", "sales"], answers);
    result.unwrap();
    let paths: Vec<_> = asked.iter().map(|asked| asked.split(' ').nth(1).unwrap()).collect();
    assert_eq!(paths[0], "/api/v1/tenants/sales");
    assert!(paths[1].starts_with("/api/v1/budgets?") && paths[1].contains("tenant=sales"), "{}", paths[1]);
    assert!(paths[3].contains("tenant=holding"), "{}", paths[3]);
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["TENANT", "NAME", "CAP", "SPENT", "USED", "PER", "WINDOW", "BEGINS", "ENDS"]);
    assert_eq!(lines[1][..7], ["sales", "run", "5", "4.5", "90.0%", "session", "day"]);
    assert!(lines[1][7].ends_with("T00:00:00Z") && lines[1][8] > lines[1][7], "{shown}");
    assert_eq!(lines[2], ["holding", "all", "900", "total"]);
}

#[test]
fn a_catalogue_file_is_checked_here_and_imported_there() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(br#"{"version":"2027-01-01","models":{"openai/m":{"context":8}}}"#).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let version = json!({ "store": "019aa8b7-d400-7000-8000-000000000000", "revision": 7 });
    let answer = json!({ "catalogue": "2027-01-01", "version": version, "models": 1, "prices": 0 });
    let (result, shown, asked) = ask(&["catalogue", "import", &path], vec![(200, answer)]);
    result.unwrap();
    assert_eq!(shown, "catalogue 2027-01-01: 1 models and 0 prices changed\nconfiguration revision 7\n");
    assert!(
        asked[0].starts_with("POST /api/v1/catalogue ") && asked[0].contains(r#""openai/m":{"context":8}"#)
    );

    file.write_all(b"{").unwrap();
    let wrong =
        ["portcullis", "catalogue", "import", &path, "--token", "t", "--server", "http://127.0.0.1:1"];
    let error = run(Cli::try_parse_from(wrong).unwrap().command, &mut Vec::new()).unwrap_err();
    assert_eq!(error.exit_code(), 64, "{error}");
}

#[test]
fn a_listed_model_without_a_price_says_so() {
    let price =
        json!({ "model": "openai/a", "input": "1", "output": "2", "effective_from": "2027-01-01T00:00:00Z" });
    let items = json!({ "items": [
        { "model": "openai/a", "facts": { "context": 8, "task": "chat" }, "price": price, "prices": [price] },
        { "model": "openai/b", "facts": {}, "price": null, "prices": [] },
        { "model": "openai/c", "facts": {}, "price": { "input": "0", "output": "0", "page": "0.002" }, "prices": [] },
    ] });
    let (_, shown, asked) = ask(&["catalogue", "list", "--kind", "openai"], vec![(200, items)]);
    assert!(asked[0].starts_with("GET /api/v1/catalogue?limit=500&kind=openai "), "{}", asked[0]);
    assert_eq!(
        shown,
        "MODEL      TASK   CONTEXT   INPUT     CACHED-INPUT   OUTPUT    PAGE\n\
         openai/a   chat   8         1                        2\n\
         openai/b                    unknown   unknown        unknown\n\
         openai/c                                                       0.002\n"
    );
    let (_, shown, asked) =
        ask(&["catalogue", "show", "openai/a"], vec![(200, json!({ "model": "openai/a" }))]);
    assert!(asked[0].starts_with("GET /api/v1/catalogue/openai"), "{}", asked[0]);
    assert!(shown.contains("openai/a"));
}

fn explained() -> Value {
    json!({
        "version": { "store": "019aa8b7-d400-7000-8000-000000000000", "revision": 7 },
        "tenant": "acme", "key": "backend", "api": "chat", "region": "eu", "input_tokens": 31,
        "route": "assistant", "rule": "code", "pool": "coder", "pool_of": "inner",
        "rules": [
            { "route": "assistant", "rule": "vision", "matched": false },
            { "route": "assistant", "rule": "lang", "error": "no such key: lang" },
            { "route": "assistant", "rule": "code", "matched": true },
            { "route": "assistant", "rule": "all", "matched": true },
        ],
        "attempts": [
            { "target": "a/coder", "reason": "first of the list", "tier": 1, "strategy": "priority" },
            { "target": "b/any", "reason": "drawn by weight, 70 of 100", "tier": 2, "strategy": "weighted" },
        ],
        "passed_over": [{ "target": "c/small", "why": "needs 31 tokens, its context has 8" }],
        "health": { "proxies": 0, "basis": "no reports" },
    })
}

#[test]
fn explain_asks_with_all_that_is_said_and_tells_a_story() {
    let mut body = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    body.write_all(br#"{"messages":[{"role":"user","content":"hi"}],"n":2}"#).unwrap();
    let path = body.path().to_str().unwrap();
    let arguments = [
        "explain",
        "-t",
        "acme",
        "-m",
        "assistant",
        "-k",
        "backend",
        "--api",
        "chat",
        "--region",
        "eu",
        "--user",
        "ada",
        "--feature",
        "f",
        "--session",
        "s",
        "--tag",
        "lang=de",
        "--tag",
        "x=a=b",
        "--body",
        path,
    ];
    let (result, shown, asked) = ask(&arguments, vec![(200, explained())]);
    result.unwrap();
    assert!(asked[0].starts_with("POST /api/v1/explain HTTP/1.1"), "{}", asked[0]);
    let sent: Value = serde_json::from_str(&asked[0][asked[0].find('{').unwrap()..]).unwrap();
    let expected = json!({
        "tenant": "acme", "key": "backend", "model": "assistant", "api": "chat", "region": "eu", "user": "ada",
        "feature": "f", "session": "s", "tags": { "lang": "de", "x": "a=b" },
        "body": { "messages": [{ "role": "user", "content": "hi" }], "n": 2 },
    });
    assert_eq!(sent, expected);
    assert_eq!(
        shown,
        "request   chat to assistant by acme/backend, region eu, about 31 input tokens, revision 7\n\
         rule      code\n\
         pool      coder of route inner\n\
         health    no reports\n\
         \n\
         RULE     OF-ROUTE    MATCHES\n\
         vision   assistant   no\n\
         lang     assistant   cannot be evaluated: no such key: lang\n\
         code     assistant   yes, decides\n\
         all      assistant   yes, too late\n\
         \n\
         TRY   TARGET    TIER   STRATEGY   BECAUSE\n\
         1     a/coder   1      priority   first of the list\n\
         2     b/any     2      weighted   drawn by weight, 70 of 100\n\
         \n\
         PASSED-OVER   BECAUSE\n\
         c/small       needs 31 tokens, its context has 8\n"
    );
}

#[test]
fn explain_shows_refusals_and_refuses_what_it_cannot_send() {
    let mut refused = explained();
    for field in ["rules", "attempts", "passed_over"] {
        refused[field] = json!([]);
    }
    refused["refusal"] = json!({ "code": "forbidden", "message": "this key may not use\u{1b} \"x\"" });
    refused["pool"] = Value::Null;
    let arguments = ["explain", "-t", "acme", "-m", "x", "--prompt", "hi"];
    let (_, shown, asked) = ask(&arguments, vec![(200, refused.clone())]);
    assert!(asked[0].ends_with(r#"{"tenant":"acme","model":"x","prompt":"hi"}"#), "{}", asked[0]);
    let told: Vec<&str> = shown.lines().collect();
    let told: Vec<&str> = told.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(told, ["request", "refused", "health"]);
    assert!(shown.contains("refused   forbidden: this key may not use\\u{1b} \"x\"\n"), "{shown}");
    let structured = ask(&[&arguments[..], &["-o", "json"]].concat(), vec![(200, refused.clone())]).1;
    assert_eq!(serde_json::from_str::<Value>(&structured).unwrap(), refused);

    let wrong = |more: &[&str]| {
        let arguments =
            [&["portcullis"], &arguments[..5], more, &["--token", "t", "--server", "http://127.0.0.1:1"]];
        Cli::try_parse_from(arguments.concat()).map(|cli| run(cli.command, &mut Vec::new()).unwrap_err())
    };
    assert!(wrong(&["--tag", "novalue"]).is_err());
    assert!(wrong(&["--prompt", "a", "--body", "b"]).is_err());
    for (more, field) in
        [(["--body", "/nowhere.json"].as_slice(), "--body: "), (&["--tag", "a=1", "--tag", "a=2"], "--tag: ")]
    {
        let error = wrong(more).unwrap();
        assert!(error.exit_code() == 64 && error.to_string().starts_with(field), "{error}");
    }
}

#[test]
fn health_shows_targets_above_keys() {
    let answer = json!({
        "items": [
            {
                "target": "openai/gpt-4o", "tenant": null, "region": "eu", "state": "ejected", "dead": true,
                "left_seconds": 4.2, "ttft_p95_ms": null, "in_flight": 0, "failures": 5, "requests": 5,
                "proxies": [{}, {}],
            },
            {
                "target": "sim/m", "tenant": "acme", "region": "eu", "state": "warming", "dead": false, "share": 0.1,
                "ttft_p95_ms": 120.4, "in_flight": 3, "failures": 0, "requests": 17, "proxies": [{}],
            },
        ],
        "keys": [{
            "credential": "openai/main", "tenant": null, "region": "eu", "state": "resting", "left_seconds": 30.0,
            "in_flight": 1, "remaining_requests": 0, "remaining_tokens": null, "proxies": [{}, {}],
        }],
        "truncated": ["p\u{1b}1"],
    });
    let (result, shown, asked) = ask(&["health"], vec![(200, answer.clone())]);
    result.unwrap();
    assert!(asked[0].starts_with("GET /api/v1/health/targets "), "{asked:?}");
    assert_eq!(
        shown,
        "TARGET          TENANT   REGION   STATE           LEFT   SHARE   P95     IN-FLIGHT   ERRORS   PROXIES\n\
         openai/gpt-4o            eu       ejected, dead   4s                     0           5/5      2\n\
         sim/m           acme     eu       warming                10%     120ms   3           0/17     1\n\
         \n\
         KEY           REGION   STATE     LEFT   IN-FLIGHT   REQUESTS-LEFT   PROXIES\n\
         openai/main   eu       resting   30s    1           0               2\n\
         p\\u{1b}1 has more targets and keys than fit into its report\n"
    );
    let structured = ask(&["health", "-o", "json"], vec![(200, answer.clone())]).1;
    assert_eq!(serde_json::from_str::<Value>(&structured).unwrap(), answer);
    let none = ask(&["health"], vec![(200, json!({ "items": [], "keys": [] }))]).1;
    assert_eq!(none, "no proxy is connected, or there are no routes and no keys\n");
    assert_eq!(ask(&["health"], vec![(200, json!({}))]).0.unwrap_err().exit_code(), 1);
}

#[test]
fn failures_are_one_line_with_the_right_status() {
    let (result, _, _) = ask(&["get", "routes"], vec![(502, Value::Null)]);
    let error = result.unwrap_err();
    assert!(error.exit_code() == 1 && error.to_string().contains("502"), "{error}");
    let command = Cli::try_parse_from([
        "portcullis",
        "get",
        "gizmos",
        "--token",
        "t",
        "--server",
        "http://127.0.0.1:1",
    ]);
    let error = run(command.unwrap().command, &mut Vec::new()).unwrap_err();
    assert!(error.exit_code() == 64 && error.to_string().starts_with("KIND: "), "{error}");
    let unreachable = Cli::try_parse_from([
        "portcullis",
        "get",
        "routes",
        "--token",
        "t",
        "--server",
        "http://127.0.0.1:1",
    ]);
    let error = run(unreachable.unwrap().command, &mut Vec::new()).unwrap_err();
    assert!(error.exit_code() == 1, "{error}");
    assert!(error.to_string().starts_with("http://127.0.0.1:1: nothing listens there"), "{error}");
    let mut schema = Vec::new();
    run(AdminCommand::Schema, &mut schema).unwrap();
    assert!(serde_json::from_slice::<Value>(&schema).unwrap()["properties"]["tenants"].is_object());
}
