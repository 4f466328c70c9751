//! Prices and facts of models: which one applies, and from when.

use std::sync::Arc;

use domain::{Kind, ModelRef, Timestamp};
use policy::{UnreadableRow, bound, visible_models};

use crate::{
    question::ask,
    world::{World, two_providers as world},
};

#[test]
fn a_tenants_price_of_the_future_leaves_the_operators_in_force() {
    let (mut world, tenant) = world();
    for (owner, from, input) in [(None, "1970-01-01", "$1"), (Some(tenant), "2100-01-01", "$9")] {
        let json = format!(r#"{{"model":"a/m","effective_from":"{from}","input":"{input}","output":"$4"}}"#);
        world.add(owner, Kind::Price, &format!("a/m@{from}"), &json);
    }
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = ask(&world, &snapshot, &caller, "a/m").unwrap();
    let input = |now| plan.attempts[0].target.price_at(now).unwrap().price.input.to_string();
    assert_eq!(input(Timestamp::from_micros(1_000)), "1");
    assert_eq!(input("2100-01-02".parse().unwrap()), "9");
}

#[test]
fn prices_apply_from_their_moment_and_bounds_take_the_dearest_rate() {
    let (mut world, tenant) = world();
    for (from, input) in [("1970-01-01", "$1"), ("2100-01-01", "$9")] {
        let json = format!(
            r#"{{"model":"a/m","effective_from":"{from}","input":"{input}","cache_write":"$2","output":"$4"}}"#
        );
        world.add(None, Kind::Price, &format!("a/m@{from}"), &json);
    }
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let plan = ask(&world, &snapshot, &caller, "chat").unwrap();
    let (priced, unpriced) = (&plan.attempts[0].target, &plan.attempts[1].target);
    let now = Timestamp::from_micros(1_000);
    assert_eq!(priced.price_at(now).unwrap().price.input.to_string(), "1");
    // 10 × $2 + 2 × 5 × $4 per million.
    assert_eq!(bound(priced, now, 10, Some(5), 2).cost.nanos(), 10 * 2_000 + 10 * 4_000);
    assert!(unpriced.price_at(now).is_none());
    assert_eq!(bound(unpriced, now, 10, Some(5), 1).cost.nanos(), 0);
    assert_eq!(unpriced.model, "b/m".parse::<ModelRef>().unwrap());
}

#[test]
fn the_catalogue_knows_what_nobody_wrote_and_admins_go_before_it() {
    let (mut world, tenant) = world();
    let price = |model: &str, input: &str| {
        format!(r#"{{"model":"{model}","effective_from":"1970-01-01","input":"{input}","output":"$1"}}"#)
    };
    let catalogue = |world: &mut World, model: &str, input: &str| {
        let name = format!("kind:custom/{model}");
        let facts = r#"{"context":1000,"max_output":7,"capabilities":{"sampling_fields":false}}"#;
        world.add(None, Kind::Model, &name, facts);
        world.add(None, Kind::Price, &format!("{name}@1970"), &price(&name, input));
    };
    catalogue(&mut world, "m", "$5");
    catalogue(&mut world, "real", "$6");
    world.add(None, Kind::Model, "b/alias", r#"{"upstream":"real","context":50}"#);
    world.add(None, Kind::Price, "a/m@1970", &price("a/m", "$2"));
    let key = world.key(tenant, "{}");
    let snapshot = world.compile();
    let caller = world.caller(&snapshot, &key).unwrap();
    let now = Timestamp::from_micros(1_000);
    let target = |model: &str| ask(&world, &snapshot, &caller, model).unwrap().attempts.remove(0).target;
    let input = |model: &str| target(model).price_at(now).map(|priced| priced.price.input.to_string());
    assert_eq!(input("a/m").unwrap(), "2", "an admin's price");
    assert_eq!(input("b/m").unwrap(), "5", "the catalogue's");
    assert_eq!(input("b/alias").unwrap(), "6", "by the name that the provider knows");
    assert_eq!(input("b/unheard-of"), None);
    let alias = Arc::clone(&target("b/alias").spec);
    assert_eq!((alias.context, alias.max_output), (Some(50), Some(7)), "field by field");
    assert_eq!(alias.capabilities.sampling_fields, Some(false));
    // The window bounds the input: 50 × $6 + 7 × $1 per million.
    assert_eq!(bound(&target("b/alias"), now, 1_000_000, None, 1).cost.nanos(), 50 * 6_000 + 7 * 1_000);
    assert_eq!(visible_models(&snapshot, &caller).into_iter().collect::<Vec<_>>(), ["b/alias", "chat"]);
    assert!(ask(&world, &snapshot, &caller, "kind:custom/m").is_err());

    // Rows of a newer catalogue that this version cannot read take nothing out of service.
    for kind in ["model", "price"] {
        let (kind, name) =
            (kind.to_owned(), format!("kind:custom/m{}", if kind == "price" { "@1970" } else { "" }));
        world.rows.unknown.push(UnreadableRow { kind, name, tenant: None, reason: "of the future".into() });
    }
    let snapshot = world.compile();
    let plan = ask(&world, &snapshot, &caller, "chat").unwrap();
    assert_eq!((plan.attempts.len(), plan.passed_over.len()), (2, 0));
    assert!(
        plan.attempts[0].target.price_at(now).is_some() && plan.attempts[1].target.price_at(now).is_none()
    );
}
