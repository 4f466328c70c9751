//! A dry run says beforehand what becomes of a request, and the request agrees.

use std::process::Command;

use serde_json::{Value, json};
use testkit::{Http, Process, binary, eventually};

use crate::{
    demo::standalone,
    world::{SOON, World, client},
};

const CODE: &str = "def area(r):\n    return 3.14 * r * r\n";

fn admin(process: &Process) -> Http {
    let ready = process.ready();
    Http::new(ready.admin.as_ref().unwrap(), ready.admin_token.as_deref())
}

/// `portcullis explain` of the demo's tenant.
fn explain(process: &Process, more: &[&str]) -> String {
    let ready = process.ready();
    let output = Command::new(binary("portcullis").unwrap())
        .args(["explain", "--tenant", "demo", "--key", "demo"])
        .args(more)
        .env("PORTCULLIS_SERVER", ready.admin.as_ref().unwrap())
        .env("PORTCULLIS_ADMIN_TOKEN", ready.admin_token.as_ref().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn what_a_dry_run_says_is_what_a_request_meets() {
    let world = World::new();
    let process = standalone(&world);
    let route = json!({
        "name": "assistant",
        "rules": [{ "preset": "code", "pool": "coder" }],
        "default": "main",
        "pools": {
            "coder": { "targets": ["demo/echo-coder", "demo-messages/echo-large"] },
            "main": { "strategy": "weighted", "targets": [{ "model": "demo/echo-large", "weight": 70 }, "demo/echo-small"] },
        },
    });
    assert_eq!(admin(&process).post("/api/v1/routes", &route).unwrap().status, 201);
    let story = explain(&process, &["--model", "assistant", "--prompt", CODE]);
    for line in
        ["rule      code", "pool      coder", "code   assistant   yes, decides", "1     demo/echo-coder"]
    {
        assert!(story.contains(line), "{line}\n{story}");
    }
    let told: Value =
        serde_json::from_str(&explain(&process, &["--model", "assistant", "--prompt", CODE, "-o", "json"]))
            .unwrap();
    assert_eq!(
        (&told["attempts"][0]["target"], &told["region"]),
        (&json!("demo/echo-coder"), &json!("local"))
    );
    assert_eq!(told["attempts"][1]["target"], "demo-messages/echo-large");

    let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": CODE }] });
    let http = client(&process, process.ready().key.as_ref().unwrap());
    let met = || {
        let reply = http.post("/v1/chat/completions", &body).unwrap();
        let said = |name: &str| reply.header(&format!("x-portcullis-{name}")).map(str::to_owned);
        said("provider").zip(said("model")) == Some(("demo".into(), "echo-coder".into()))
    };
    assert!(eventually(SOON, met), "the proxy never had the route");
    let prose = explain(&process, &["--model", "assistant", "--prompt", "how are you?"]);
    assert!(prose.contains("rule      none matches") && prose.contains("drawn by weight, "), "{prose}");
    assert!(!explain(&process, &["--model", "chat", "-o", "yaml"]).contains("sk-"), "a secret was shown");

    // What the proxy saw of a target counts.
    let provider = admin(&process).get("/api/v1/providers/demo").unwrap().json().unwrap();
    let simulator = provider["base_url"].as_str().unwrap().trim_end_matches("/v1").to_owned();
    let script = Http::new(&simulator, None);
    assert_eq!(script.put("/_sim/script/echo-coder", &json!({ "status": 500 })).unwrap().status, 204);
    let seen = || {
        http.post("/v1/chat/completions", &body).unwrap();
        let told = explain(&process, &["--model", "assistant", "--prompt", CODE, "-o", "json"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        told["attempts"][0]["target"] == "demo-messages/echo-large"
            && told["passed_over"][0]["target"] == "demo/echo-coder"
            && told["passed_over"][0]["why"].as_str().unwrap().starts_with("unhealthy")
    };
    assert!(eventually(SOON, seen), "the ejection never reached a dry run");
}
