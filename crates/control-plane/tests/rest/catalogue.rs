//! The catalogue over REST: importing files, reading them back, and that nothing of an admin's is touched.

use serde_json::{Value, json};

use crate::fixture::{Api, DOCUMENT, start};

fn file(version: &str, input: &str) -> Value {
    json!({
        "version": version,
        "models": {
            "openai/x": { "context": 1000, "capabilities": { "vision": true }, "source": "https://example.com" },
            "openai/deep/y": { "task": "embedding" },
            "cohere/z": {},
        },
        "prices": [{
            "model": "openai/x", "effective_from": "2026-01-01", "input": input, "output": "2",
            "long_context": [{ "above": 200_000, "input": "4" }],
            "service_tiers": { "batch": { "input": "0.5" } },
        }],
    })
}

fn import(api: &Api, version: &str, input: &str) -> Value {
    api.send(200, "POST", "/catalogue", Some(file(version, input)))
}

#[test]
fn a_file_is_imported_once_and_listed() {
    let api = start();
    let reply = import(&api, "2026-06-01", "1");
    assert_eq!((&reply["models"], &reply["prices"]), (&json!(3), &json!(1)));
    assert_eq!((&reply["catalogue"], &reply["version"]["revision"]), (&json!("2026-06-01"), &json!(1)));
    let again = import(&api, "2026-06-01", "1");
    assert_eq!((&again["models"], &again["prices"]), (&json!(0), &json!(0)));
    assert_eq!(again["version"], reply["version"]);

    let listed = api.send(200, "GET", "/catalogue?limit=2", None);
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["model"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&listed), ["cohere/z", "openai/deep/y"]);
    let rest = format!("/catalogue?limit=2&cursor={}", listed["next"].as_str().unwrap());
    assert_eq!(names(&api.send(200, "GET", &rest, None)), ["openai/x"]);
    assert_eq!(names(&api.send(200, "GET", "/catalogue?kind=cohere", None)), ["cohere/z"]);

    let one = api.send(200, "GET", "/catalogue/openai/x", None);
    assert_eq!((&one["facts"]["context"], &one["price"]["input"]), (&json!(1000), &json!("1")));
    assert_eq!(one["price"]["service_tiers"]["batch"]["input"], "0.5");
    let unpriced = api.send(200, "GET", "/catalogue/openai/deep/y", None);
    assert_eq!((&unpriced["facts"]["task"], &unpriced["price"]), (&json!("embedding"), &Value::Null));
    api.send(404, "GET", "/catalogue/openai/nothing", None);

    let audit = api.send(200, "GET", "/audit", None);
    assert_eq!(audit["items"][0]["action"], "import_catalogue");
    assert_eq!(audit["items"][0]["detail"], json!({ "version": "2026-06-01", "models": 3, "prices": 1 }));
}

#[test]
fn another_price_begins_now_and_the_old_one_stays() {
    let api = start();
    import(&api, "2026-06-01", "1");
    import(&api, "2026-07-01", "3");
    let one = api.send(200, "GET", "/catalogue/openai/x", None);
    let inputs: Vec<_> = one["prices"].as_array().unwrap().iter().map(|price| &price["input"]).collect();
    assert_eq!((&one["price"]["input"], inputs), (&json!("3"), vec![&json!("3"), &json!("1")]));
}

#[test]
fn rows_of_admins_are_elsewhere_and_stay_as_they_are() {
    let api = start();
    api.apply("", DOCUMENT);
    let before = [api.send(200, "GET", "/prices", None), api.send(200, "GET", "/models", None)];
    import(&api, "2026-06-01", "9");
    assert_eq!([api.send(200, "GET", "/prices", None), api.send(200, "GET", "/models", None)], before);
    let pruned = api.apply("?prune=true", DOCUMENT).json().unwrap();
    assert!(pruned["changes"].as_array().unwrap().iter().all(|change| change["change"] == "unchanged"));
    assert_eq!(api.send(200, "GET", "/catalogue/openai/x", None)["price"]["input"], "9");
}

#[test]
fn a_file_that_cannot_be_right_changes_nothing_and_the_answer_names_the_field() {
    let api = start();
    let mut unknown = file("2026-06-01", "1");
    unknown["prices"][0]["long_context"][0]["inptu"] = json!("1");
    let mut twice = file("2026-06-01", "1");
    let first = twice["prices"][0].clone();
    twice["prices"].as_array_mut().unwrap().push(first);
    let cases = [
        (file("tomorrow", "1"), "version"),
        (file("2026-06-01", "cheap"), "prices[0].input"),
        (unknown, "prices[0].long_context[0]"),
        (twice, "prices[1]"),
        (json!({ "version": "2026-06-01", "models": { "KIND/x": {} } }), "models.KIND/x"),
    ];
    for (body, field) in cases {
        let problem = api.send(400, "POST", "/catalogue", Some(body));
        let named = problem["errors"][0]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{problem}");
    }
    assert_eq!(api.send(200, "GET", "/catalogue", None)["items"], json!([]));
    assert_eq!(api.send(200, "GET", "/audit", None)["items"], json!([]));
}
