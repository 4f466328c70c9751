//! Requests of different kinds through one route with rules: each kind has a model of its own.

use serde_json::{Value, json};

use crate::{
    asked::{Call, Sample},
    explained::Record,
    load::Caller,
    stage::{PROXIES, Stage},
    table::{Table, cell},
};

/// One pixel.
const IMAGE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A question about some program text.
const CODE: &str = "Why does this not compile?\n```rust\nfn main() {\n    let mut names = vec![\"a\", \"b\"];\n    for name in &names {\n        names.push(name);\n    }\n    println!(\"{names:?}\");\n}\n```\n";

/// A kind of request: what it is called, the pool that should get it, and its body.
type Kind = (&'static str, &'static str, Value);

fn kinds() -> Vec<Kind> {
    let say = |text: &str| json!({ "messages": [{ "role": "user", "content": text }] });
    let mut reasoning = say("Prove it.");
    reasoning["reasoning_effort"] = json!("high");
    let mut tools = say("What is the weather?");
    tools["tools"] = json!([{
        "type": "function",
        "function": { "name": "weather", "parameters": { "type": "object", "properties": {} } },
    }]);
    let image = json!({ "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "What is this?" },
        { "type": "image_url", "image_url": { "url": IMAGE } },
    ] }] });
    // The tagged free tier is a rule in CEL of the operator's own; the others are ready-made.
    let mut french = say("Bonjour.");
    french["user"] = json!("french-desk");
    vec![
        ("program text", "code", say(CODE)),
        ("300 KB of text", "long", say(&"The quick brown fox jumps over the lazy dog. ".repeat(6_700))),
        ("an image", "vision", image),
        ("reasoning asked for", "deep", reasoning),
        ("tools", "tools", tools),
        ("a user named in a rule of our own", "desk", french),
        ("anything else", "small", say("Hello.")),
    ]
}

pub(crate) fn play(stage: &Stage, caller: &Caller) -> Vec<Table> {
    let pools = ["code", "long", "vision", "deep", "tools", "desk", "small"];
    let pool = |name: &&str| (name.to_string(), json!({ "targets": [format!("models/for-{name}")] }));
    stage.install(&json!({
        "providers": { "models": stage.provider(json!({})) },
        "routes": { "assistant": {
            "rules": [
                { "name": "desk", "when": "request.user == 'french-desk'", "pool": "desk" },
                { "preset": "vision", "pool": "vision" },
                { "preset": "long_context", "pool": "long" },
                { "preset": "reasoning", "pool": "deep" },
                { "preset": "tools", "pool": "tools" },
                { "preset": "code", "pool": "code" },
            ],
            "default": "small",
            "pools": pools.iter().map(pool).collect::<serde_json::Map<_, _>>(),
        } },
    }));
    let proxies = (1..=PROXIES).map(|number| format!("proxy {number}"));
    let mut records = Vec::new();
    let mut table =
        Table::new("E. Kinds of requests through the rules of one route: the model that answered", proxies);
    for (kind, pool, mut body) in kinds() {
        body["model"] = json!("assistant");
        let call = Call { body, explain: true };
        let ask = |proxy| stage.runtime.block_on(caller.ask(proxy, &call));
        let samples: Vec<Sample> = (0..PROXIES).map(ask).collect();
        let expected = format!("for-{pool}");
        let answered = samples.iter().map(|sample| {
            let right = sample.model == expected && sample.failure.is_none();
            let record = Record::of(sample);
            let right = right && record.as_ref().is_some_and(|record| record.pool() == pool);
            cell(sample.failure.as_ref().unwrap_or(&sample.model), right)
        });
        table.row(format!("{kind}: for-{pool}"), answered);
        records.extend(samples.first().and_then(Record::of).map(|record| (kind, record)));
    }
    for (kind, record) in &records {
        table.note(format!("{kind}, explained: {}", record.line()));
    }
    vec![table]
}
