//! The request log in `portcullis get requests`.

use super::*;

#[test]
fn requests_are_listed_and_one_of_them_tells_its_story() {
    let attempt = |number: u32, reason: &str, outcome: &str| json!({ "number": number, "provider": "p", "model": "m", "reason": reason, "outcome": outcome, "tokens_in": 3, "input_uncached": 3 });
    let item = json!({
        "request_id": "01a2", "route": "chat", "rule": "small", "pool": "cheap", "cost_usd": null,
        "attempts": [attempt(1, "first of the list", "connect"), attempt(2, "next of the list", "ok")],
    });
    let page = || vec![(200, json!({ "items": [item], "next": "more" }))];
    let (result, shown, asked) = ask(&["get", "requests", "-t", "acme"], page());
    result.unwrap();
    assert!(asked[0].starts_with("GET /api/v1/requests?limit=100&tenant=acme "), "{}", asked[0]);
    assert_eq!(shown, "REQUEST-ID   ROUTE   RULE    POOL\n01a2         chat    small   cheap\n");
    let (result, shown, asked) = ask(&["get", "requests", "01a2"], page());
    result.unwrap();
    assert!(asked[0].starts_with("GET /api/v1/requests?limit=100&request_id=01a2 "), "{}", asked[0]);
    assert_eq!(
        shown,
        "request_id   01a2\nroute        chat\nrule         small\npool         cheap\n\n\
         NUMBER   PROVIDER   MODEL   REASON              OUTCOME   TOKENS-IN\n\
         1        p          m       first of the list   connect   3\n\
         2        p          m       next of the list    ok        3\n"
    );
    let (result, shown, _) = ask(&["get", "request", "01a2", "-o", "json"], page());
    result.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), item);
    let (missing, ..) = ask(&["get", "request", "01a2"], vec![(200, json!({ "items": [] }))]);
    assert_eq!(missing.unwrap_err().to_string(), "there is no finished request 01a2");
}
