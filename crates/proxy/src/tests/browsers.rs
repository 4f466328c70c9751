//! Web pages as clients: preflights, and who may allow which page.

use http::Method;
use serde_json::json;

use super::harness::{Bench, Plan, Reply, plain_body};

const APP: &str = "https://app.example.com";
const OTHER: &str = "https://other.example.com";

async fn bench(origins: &[&str]) -> Bench {
    let mut plan = Plan::default();
    plan.edge.cors_origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    Bench::start(plan).await
}

async fn ask(bench: &Bench, method: Method, headers: &[(&'static str, &str)]) -> Reply {
    let mut request = bench.client.request(method, "/v1/chat/completions", &plain_body("one two"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    bench.client.plain.send(request).await
}

fn allowed(reply: &Reply) -> Option<&str> {
    reply.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap())
}

const PREFLIGHT: [(&str, &str); 2] = [
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization, content-type,x-portcullis-explain"),
];

#[tokio::test]
async fn pages_are_told_what_they_may_where_the_operator_lists_them() {
    let mut bench = bench(&[APP, "http://localhost:3000"]).await;
    let [method, headers] = PREFLIGHT;
    let preflight = ask(&bench, Method::OPTIONS, &[("origin", APP), method, headers]).await;
    assert_eq!((preflight.status, allowed(&preflight), preflight.text()), (204, Some(APP), ""));
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(preflight.header("access-control-allow-headers"), headers.1);
    let vary = preflight.headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    assert_eq!(vary.collect::<Vec<_>>(), ["origin", "access-control-request-headers"]);
    let foreign = ask(&bench, Method::OPTIONS, &[("origin", OTHER), method]).await;
    assert_eq!((foreign.status, allowed(&foreign)), (403, None), "{foreign:?}");
    let split = "x\u{1}";
    assert!(http::HeaderValue::from_str(split).is_err(), "no list breaks the header");

    let served = ask(&bench, Method::POST, &[("origin", APP)]).await;
    assert_eq!((served.status, allowed(&served)), (200, Some(APP)), "{served:?}");
    assert_eq!(served.header("access-control-expose-headers"), "*");
    bench.event().await;
    // An error can be read by the page as well; a page that is not listed is not served at all.
    let wrong = ask(&bench, Method::POST, &[("origin", APP), ("authorization", "Bearer sk-none")]).await;
    assert_eq!((wrong.status, allowed(&wrong)), (401, Some(APP)));
    for origin in [OTHER, "null", "https://app.example.com.evil", "http://app.example.com"] {
        let refused = ask(&bench, Method::POST, &[("origin", origin)]).await;
        assert_eq!((refused.status, allowed(&refused)), (403, None), "{origin}");
    }
    let server = ask(&bench, Method::POST, &[]).await;
    assert_eq!((server.status, allowed(&server)), (200, None), "a server sends no origin");
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn nothing_is_said_to_browsers_by_default() {
    let mut bench = bench(&[]).await;
    let preflight = ask(&bench, Method::OPTIONS, &[("origin", APP), PREFLIGHT[0]]).await;
    assert_eq!((preflight.status, allowed(&preflight)), (405, None));
    let served = ask(&bench, Method::POST, &[("origin", APP)]).await;
    assert_eq!((served.status, allowed(&served)), (200, None));
    bench.event().await;
    bench.finish().await;
}

#[tokio::test]
async fn tenants_keys_and_routes_narrow_the_operators_list() {
    use domain::Spec;
    for owner in ["tenant", "API key", "route"] {
        let mut bench = bench(&["*"]).await;
        let only = serde_json::from_value(json!([APP])).unwrap();
        bench.change(|rows| {
            for row in rows {
                match (owner, &mut row.spec) {
                    ("tenant", Spec::Tenant(spec)) => spec.cors_origins = Some(only),
                    ("API key", Spec::Key(spec)) if row.name == "good" => spec.cors_origins = Some(only),
                    ("route", Spec::Route(spec)) => spec.cors_origins = Some(only),
                    _ => continue,
                }
                return;
            }
        });
        let refused = ask(&bench, Method::POST, &[("origin", OTHER)]).await;
        assert_eq!((refused.status, allowed(&refused)), (403, Some(OTHER)), "{owner}: {refused:?}");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(owner), "{refused:?}");
        assert!(bench.sim().requests().await.is_empty(), "{owner}: nothing was sent");
        let served = ask(&bench, Method::POST, &[("origin", APP)]).await;
        assert_eq!((served.status, allowed(&served)), (200, Some(APP)), "{owner}: {served:?}");
        bench.event().await;
        let server = ask(&bench, Method::POST, &[]).await;
        assert_eq!(server.status, 200, "{owner}: {server:?}");
        bench.event().await;
        bench.finish().await;
    }
}
