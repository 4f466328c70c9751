//! What the shapes of calls are, in every dialect.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn chat(messages: &Value) -> Shape {
    shape_of(Api::Chat, &json!({ "model": "m", "messages": messages }))
}

fn shape_of(api: Api, body: &Value) -> Shape {
    let path = InPath { model: Some("m"), stream: Some(false) };
    shape(api, path, &Bytes::from(body.to_string()))
}

fn code_share(text: &str) -> f64 {
    chat(&json!([{ "role": "user", "content": text }])).code_share
}

/// The same call in every dialect.
fn everywhere(system: &str, user: &str, effort: bool) -> Vec<(Api, Value)> {
    let parameters = json!({ "type": "object" });
    let schema = json!({ "type": "object", "required": ["a"] });
    let mut calls = vec![
        (
            Api::Chat,
            json!({
                "model": "m",
                "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }],
                "tools": [{ "type": "function", "function": { "name": "t", "description": "d", "parameters": parameters } }],
                "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": schema } },
            }),
        ),
        (
            Api::Responses,
            json!({
                "model": "m",
                "instructions": system,
                "input": user,
                "tools": [{ "type": "function", "name": "t", "description": "d", "parameters": parameters }],
                "text": { "format": { "type": "json_schema", "name": "n", "schema": schema } },
            }),
        ),
        (
            Api::Messages,
            json!({
                "model": "m",
                "max_tokens": 20_000,
                "system": system,
                "messages": [{ "role": "user", "content": user }],
                "tools": [{ "name": "t", "description": "d", "input_schema": parameters }],
                "output_config": { "format": { "type": "json_schema", "schema": schema } },
            }),
        ),
        (
            Api::Gemini,
            json!({
                "system_instruction": { "parts": [{ "text": system }] },
                "contents": [{ "role": "user", "parts": [{ "text": user }] }],
                "tools": [{ "functionDeclarations": [{ "name": "t", "description": "d", "parametersJsonSchema": parameters }] }],
                "generationConfig": { "responseMimeType": "application/json", "responseJsonSchema": schema },
            }),
        ),
        (
            Api::Cohere,
            json!({
                "model": "m",
                "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }],
                "tools": [{ "type": "function", "function": { "name": "t", "description": "d", "parameters": parameters } }],
                "response_format": { "type": "json_object", "json_schema": schema },
            }),
        ),
        (
            Api::Converse,
            json!({
                "system": [{ "text": system }],
                "messages": [{ "role": "user", "content": [{ "text": user }] }],
                "toolConfig": { "tools": [{ "toolSpec": { "name": "t", "description": "d", "inputSchema": { "json": parameters } } }] },
                "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": schema.to_string() } } } },
            }),
        ),
    ];
    if effort {
        calls[0].1["reasoning_effort"] = json!("high");
        calls[1].1["reasoning"] = json!({ "effort": "high" });
        calls[2].1["thinking"] = json!({ "type": "enabled", "budget_tokens": 16_500 });
        calls[3].1["generationConfig"]["thinkingConfig"] = json!({ "thinkingLevel": "HIGH" });
        calls[4].1["thinking"] = json!({ "type": "enabled", "token_budget": 20_000 });
        calls[5].1["additionalModelRequestFields"] =
            json!({ "thinking": { "type": "enabled", "budget_tokens": 20_000 } });
    }
    calls
}

#[test]
fn the_same_call_has_the_same_shape_in_every_dialect() {
    let user = "Please fix:\n```rust\nfn main() {}\n```";
    let shapes: Vec<_> =
        everywhere("Be brief.", user, true).iter().map(|(api, body)| shape_of(*api, body)).collect();
    let first = &shapes[0];
    assert_eq!((first.tools, first.json, first.reasoning_effort), (1, true, Some("high")));
    assert_eq!(first.schema.as_deref(), Some(r#"{"type":"object","required":["a"]}"#));
    assert_eq!(first.text_bytes, 9 + user.len() as u64);
    assert!((first.code_share - 12.0 / 23.0).abs() < 1e-9, "{}", first.code_share);
    assert_ne!(first.prefix, 0);
    for (shape, (api, _)) in shapes.iter().zip(everywhere("", "", false)) {
        assert_eq!(shape, first, "{}", api.name());
    }
}

#[test]
fn what_a_prompt_begins_with_makes_the_prefix() {
    let of = |system, user| shape_of(Api::Chat, &everywhere(system, user, false)[0].1).prefix;
    let same = of("a", "b");
    assert_eq!(same, of("a", "b"));
    // In every process and version: replicas of two versions have to agree.
    assert_eq!(same, 0x34a4_5209_b746_3839);
    for other in [of("a", "c"), of("ab", ""), of("", "ab"), of("c", "b")] {
        assert_ne!(same, other);
    }
    let later = chat(&json!([
        { "role": "user", "content": "one" },
        { "role": "assistant", "content": "x" },
        { "role": "user", "content": "two" },
    ]));
    assert_eq!(later.prefix, chat(&json!([{ "role": "user", "content": "one" }])).prefix);
}

#[test]
fn efforts_and_formats_as_they_were_said() {
    let chat = |more: Value| {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        shape_of(Api::Chat, &body)
    };
    let plain = chat(json!({}));
    assert_eq!((plain.reasoning_effort, plain.json, plain.logprobs, plain.tools), (None, false, false, 0));
    assert_eq!(chat(json!({ "reasoning_effort": "none" })).reasoning_effort, Some("none"));
    let loose = chat(json!({ "response_format": { "type": "json_object" }, "logprobs": true }));
    assert_eq!((loose.json, loose.schema, loose.logprobs), (true, None, true));
    let claude = |thinking: Value| {
        let body = json!({ "model": "m", "max_tokens": 9, "thinking": thinking, "messages": [{ "role": "user", "content": "x" }] });
        shape_of(Api::Messages, &body).reasoning_effort
    };
    assert_eq!(claude(json!({ "type": "adaptive" })), Some("medium"));
    assert_eq!(claude(json!({ "type": "disabled" })), Some("none"));
    assert_eq!(claude(json!({ "type": "enabled", "budget_tokens": 1_024 })), Some("minimal"));
}

#[test]
fn what_cannot_be_read_has_no_shape() {
    for body in ["", "{", "[]", r#"{"model":"m","messages":[{"role":"robot"}]}"#] {
        assert_eq!(shape(Api::Chat, InPath::default(), &Bytes::from(body)), Shape::default(), "{body}");
    }
    let call = &everywhere("a", "b", false)[0].1;
    assert_eq!(shape_of(Api::Embeddings, call), Shape::default());
    assert_eq!(shape_of(Api::CountTokens, &everywhere("a", "b", false)[2].1), Shape::default());
}

#[test]
fn code_is_told_from_prose_and_data() {
    for (name, text, least) in CODE {
        let share = code_share(text);
        assert!(share >= least, "{name}: {share}");
    }
    for (name, text) in NO_CODE {
        let share = code_share(text);
        assert!(share < 0.05, "{name}: {share}");
    }
}

#[test]
fn later_turns_count_most_and_a_question_about_code_is_one_about_code() {
    let file = CODE[0].1;
    let turns = |texts: &[&str]| {
        let turns: Vec<_> = texts.iter().map(|text| json!({ "role": "user", "content": text })).collect();
        chat(&json!(turns)).code_share
    };
    let prose = "a few words of plain text, ".repeat(file.len() / 27);
    assert!(turns(&[file, "and what is line three for"]) > 0.8);
    let (first, last) = (turns(&[file, &prose]), turns(&[&prose, file]));
    assert!((0.2..0.4).contains(&first) && (0.6..0.8).contains(&last), "{first} {last}");
    let spoken =
        json!([{ "role": "assistant", "content": file }, { "role": "user", "content": "thanks a lot" }]);
    assert!(chat(&spoken).code_share < 0.01, "what the model wrote is not what the user wrote");
}

#[test]
fn a_large_prompt_is_looked_at_in_part() {
    let words = "word ".repeat(60_000);
    let parts =
        json!([{ "type": "text", "text": words }, { "type": "text", "text": "x = f(1);\n".repeat(90_000) }]);
    assert!(chat(&json!([{ "role": "user", "content": parts }])).code_share < 0.01);
}

#[test]
fn real_files() {
    for source in
        [include_str!("line.rs"), include_str!("../scan/members.rs"), include_str!("../gemini/error.rs")]
    {
        assert!(code_share(source) > 0.8, "{} of {}", code_share(source), &source[..60]);
    }
    for other in [
        include_str!("../../../../README.md"),
        include_str!("../../fixtures/openai/response.json"),
        include_str!("../../fixtures/gemini/request.json"),
    ] {
        assert!(code_share(other) < 0.3, "{} of {}", code_share(other), &other[..60]);
    }
}

#[test]
fn the_fixtures_of_every_dialect() {
    let fixtures: [(Api, &[u8], u32, bool, Option<&str>); 6] = [
        (Api::Chat, include_bytes!("../../fixtures/chat/request.json"), 2, true, Some("xhigh")),
        (Api::Responses, include_bytes!("../../fixtures/responses/request.json"), 2, true, Some("xhigh")),
        (Api::Messages, include_bytes!("../../fixtures/anthropic/request.json"), 2, true, Some("xhigh")),
        (Api::Gemini, include_bytes!("../../fixtures/gemini/request.json"), 3, true, Some("low")),
        (Api::Cohere, include_bytes!("../../fixtures/cohere/request.json"), 2, true, Some("minimal")),
        (Api::Converse, include_bytes!("../../fixtures/bedrock/request.json"), 2, true, Some("high")),
    ];
    for (api, body, tools, json, effort) in fixtures {
        let path = InPath { model: Some("m"), stream: Some(false) };
        let shape = shape(api, path, &Bytes::from_static(body));
        let read = (shape.tools, shape.json, shape.reasoning_effort);
        assert_eq!(read, (tools, json, effort), "{}", api.name());
        assert!(shape.prefix != 0 && shape.text_bytes > 0, "{}", api.name());
    }
}

proptest! {
    #[test]
    fn any_text_has_a_share(text in "(```|~~~|/\\*|\"\"\"|@@ |[ -~é]{0,20}|\n|\t|  ){0,40}") {
        let share = code_share(&text);
        prop_assert!((0.0..=1.0).contains(&share), "{}", share);
    }
}

const CODE: [(&str, &str, f64); 10] = [
    (
        "rust",
        "//! Counts words.\n\nuse std::collections::HashMap;\n\n/// How often each word stands there.\npub fn count(text: &str) -> HashMap<&str, usize> {\n    let mut counts = HashMap::new();\n    for word in text.split_whitespace() {\n        *counts.entry(word).or_default() += 1;\n    }\n    counts\n}\n",
        0.8,
    ),
    (
        "python",
        "import os\nfrom typing import Any\n\n\nclass Loader:\n    \"\"\"Loads things\n\n    from files.\n    \"\"\"\n\n    def load(self, path: str) -> Any:\n        # read it all\n        with open(path) as f:\n            data = f.read()\n        if not data:\n            return None\n        return self.parse(data)\n\n\nif __name__ == \"__main__\":\n    print(Loader().load(os.environ[\"X\"]))\n",
        0.8,
    ),
    (
        "javascript",
        "import { useState } from 'react'\n\nexport default function App() {\n  const [count, setCount] = useState(0)\n  return (\n    <div className=\"app\">\n      <button onClick={() => setCount(count + 1)}>{count}</button>\n    </div>\n  )\n}\n",
        0.8,
    ),
    (
        "go",
        "package main\n\nimport \"fmt\"\n\n// main greets.\nfunc main() {\n\tfor i := 0; i < 3; i++ {\n\t\tfmt.Println(\"hi\", i)\n\t}\n\tif err := run(); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
        0.8,
    ),
    (
        "c",
        "#include <stdio.h>\n\n/* Prints\n * a greeting. */\nint main(void)\n{\n    printf(\"hello\\n\");\n    return 0;\n}\n",
        0.8,
    ),
    (
        "sql",
        "SELECT u.name, count(*) AS orders\nFROM users u\nJOIN orders o ON o.user_id = u.id\nWHERE o.created > now() - interval '1 day'\nGROUP BY u.name\nORDER BY orders DESC;\n",
        0.8,
    ),
    ("html", "<ul>\n  <li>One</li>\n  <li>Two</li>\n</ul>\n", 0.8),
    (
        "a question with a file",
        "Why does this loop for ever?\n\nint main() {\n  int i = 0;\n  while (i < 10) {\n    printf(\"%d\", i);\n  }\n}\n",
        0.5,
    ),
    (
        "a fence without a language",
        "Explain, please:\n```\nmov eax, 1\nint 0x80\nxor ebx, ebx\npush rbp\n```\n",
        0.6,
    ),
    (
        "a patch",
        "Review this\ndiff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n import os\n-print(1)\n+print(2)\n",
        0.7,
    ),
];

const NO_CODE: [(&str, &str); 11] = [
    (
        "prose",
        "Write a short story about a keeper of a lighthouse. Let me know if (and only if) you need more; I can help.\nReturn it by Monday, for example.\nfrom what I hear it is good",
    ),
    (
        "inline code",
        "What does `x = f(1);` do, and why is `print(x)` not the same in Python 2? I import goods from abroad.",
    ),
    (
        "json",
        "What is wrong here?\n{\n  \"name\": \"x\",\n  \"list\": [\n    1,\n    2\n  ],\n  \"inner\": {\n    \"a\": true\n  }\n}\n",
    ),
    ("fenced json", "```json\n{\"a\": 1}\n```\n"),
    (
        "logs",
        "2026-11-22T20:00:00Z INFO server: started (port=80);\n2026-11-22 20:00:01,123 ERROR foo.bar(): failed = true\nNov 22 20:00:01 host sshd[12]: accepted()\n[20:01:02] WARN x = y\nlevel=info msg=\"f(x)\"\n127.0.0.1 - - [22/Nov/2026] \"GET /f(x) HTTP/1.1\" 200;\n",
    ),
    ("fenced logs", "```\n2026-11-22 20:00:01 ERROR f(x);\n2026-11-22 20:00:02 INFO g = 1\n```"),
    (
        "a stack",
        "java.lang.IllegalStateException: no\n\tat com.foo.Bar.run(Bar.java:12)\n\tat com.foo.Main.main(Main.java:3)\nTraceback (most recent call last):\n  File \"x.py\", line 3, in <module>\nValueError: bad\n",
    ),
    (
        "a list",
        "# Plan\n\n- buy milk (two litres);\n* call(mum)\n1. write = read\n2) rest\n> quoted;\n| a | b |\n",
    ),
    ("yaml", "name: build\non: push\njobs:\n  test:\n    runs-on: linux\n"),
    (
        "a mail",
        "Dear Ana,\n\nthe meeting is on Friday (room 4). Please bring:\n  the slides,\n  the budget.\n\nBest,\nJo <jo@example.com>\n",
    ),
    ("nothing", " \n\n"),
];
