//! The JSON Schema against documents: what it lets pass is what is read, and it knows the forms of routing.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "schema/validator.rs"]
mod validator;

use admin_api::{Document, Format, parse};
use domain::{Resource, ResourceId, Spec};
use serde_json::{Value, json};
use validator::faults;

const EXAMPLE: &str = include_str!("../../../docs/examples/routing.yaml");

fn example() -> Value {
    parse(EXAMPLE, Format::Yaml).unwrap()
}

#[test]
fn the_example_of_routing_obeys_the_schema() {
    assert_eq!(faults(&admin_api::schema(), &example()), Vec::<String>::new());
}

#[test]
fn what_the_schema_refuses_is_named() {
    let schema = admin_api::schema();
    let route = "/routes/assistant";
    for (at, wrong) in [
        ("/routes/chat/targets/0", json!("gpt-4o")),
        ("/routes/chat/targets/0", json!({ "weight": 2 })),
        ("/routes/near/strategy", json!("fastest")),
        (&format!("{route}/pools/main/tiers/0/targets/0/weight"), json!(0)),
        (&format!("{route}/pools/main/tiers/2/targets/0/concurrent"), json!(0)),
        (&format!("{route}/pools/vision/require/capabilities"), json!("perhaps")),
        (&format!("{route}/pools/code/by"), json!("weekday")),
        (&format!("{route}/pools/small/cascade/0/accept"), json!("true")),
        (&format!("{route}/rules/0/preset"), json!("poems")),
        (&format!("{route}/retry/on"), json!({ "hail": "stop" })),
        (&format!("{route}/retry/on/rate_limited"), json!("despair")),
        (&format!("{route}/retry/budget"), json!(20)),
        (&format!("{route}/panic_threshold"), json!("a third")),
        ("/providers/openai/probe", json!("on")),
        ("/providers/openai/probe", json!({ "free": "yes" })),
        ("/providers/anthropic/probe/max_tokens", json!(0)),
        ("/providers/anthropic/health/consecutive", json!(0)),
        ("/providers/openai/credentials/0/limits/tokens", json!("2000000")),
        ("/tenants/acme/priority", json!("highest")),
        ("/routes/assistant/translation", json!("lax")),
        ("/tenants/acme/keys/0/translation", json!("lax")),
        ("/tenants/acme/keys/0/translation_header", json!("loosen")),
    ] {
        let mut document = example();
        *document.pointer_mut(at).unwrap_or_else(|| panic!("{at}")) = wrong.clone();
        let found = faults(&schema, &document);
        assert!(found.iter().any(|fault| fault.starts_with(at)), "{at} = {wrong}: {found:?}");
        assert!(
            Document::read(&document.to_string(), Format::Json).and_then(Document::desired).is_err(),
            "{at} = {wrong} is read, though the schema refuses it"
        );
    }
}

#[test]
fn forms_are_alternatives_and_have_descriptions() {
    let schema = admin_api::schema();
    for (name, forms) in [("Target", 2), ("Probe", 3)] {
        let form = &schema["$defs"][name];
        assert_eq!(form["oneOf"].as_array().map(Vec::len), Some(forms), "{form:#}");
        assert!(form["description"].is_string(), "{form:#}");
    }
    let strategies = schema["$defs"]["Strategy"]["oneOf"].as_array().unwrap();
    assert!(strategies.iter().all(|strategy| strategy["description"].is_string()));
}

/// Resources of the example and back: nothing of it is lost, and what comes out is taken in again.
#[test]
fn an_export_of_every_form_of_routing_is_the_document() {
    let mut document = Document::read(EXAMPLE, Format::Yaml).unwrap();
    document.resolve_secrets(&|_| Some("s".to_owned()), &|_| Ok("s".to_owned())).unwrap();
    let tenant = ResourceId::new();
    let rows: Vec<Resource> =
        document.clone().desired().unwrap().into_iter().map(|wanted| row(wanted, tenant)).collect();
    let exported = serde_json::to_value(Document::from_resources(&rows)).unwrap();
    // Secrets are never written out.
    assert_eq!(exported, serde_json::to_value(&document).unwrap());
    assert_eq!(faults(&admin_api::schema(), &exported), Vec::<String>::new());
    let again = Document::read(&exported.to_string(), Format::Json).unwrap();
    let again = again.desired().unwrap().into_iter().map(|wanted| wanted.spec);
    assert!(again.eq(rows.iter().map(|row| row.spec.clone())));
    for row in &rows {
        let stored = serde_json::to_vec(&row.spec.to_json()).unwrap();
        assert_eq!(Spec::from_json(row.kind(), &stored).unwrap(), row.spec, "{}", row.name);
    }
}

fn row(wanted: admin_api::Desired, tenant: ResourceId) -> Resource {
    let admin_api::Desired { tenant: owner, name, spec, .. } = wanted;
    let id = if matches!(spec, Spec::Tenant(_)) { tenant } else { ResourceId::new() };
    Resource { id, tenant: owner.map(|_| tenant), name, spec, revision: 1, sealed: None }
}
