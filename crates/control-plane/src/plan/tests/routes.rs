//! Routes that lead to routes, conditions, and priorities: every mistake names its field, whichever write makes it.

use domain::{KeySpec, PoolSpec, Priority, RouteSpec, TenantSpec};

use super::*;

const HEAD: &str = "apiVersion: portcullis/v1\n\
    providers: { p: { kind: custom, base_url: 'https://p.example/v1', credentials: [ { name: m, secret: { value: s } } ] } }\n";

fn document(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

fn to(route: &str) -> String {
    format!("{{ pools: {{ main: {{ route: {route} }} }} }}")
}

fn world_of(ring: &Keyring, rest: &str) -> ConfigGraph {
    carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), ring, &document(rest), false).unwrap())
}

fn refused(graph: &ConfigGraph, ring: &Keyring, rest: &str) -> String {
    invalid(apply(graph, ring, &document(rest), false))
}

/// One resource, as `PUT` writes it.
fn put(
    graph: &ConfigGraph,
    ring: &Keyring,
    tenant: Option<&str>,
    name: &str,
    spec: Spec,
) -> Result<Plan, PlanError> {
    let tenant = tenant.map(|tenant| graph.id(Kind::Tenant, None, tenant).unwrap());
    let mut planner = Planner::new(graph, ring);
    planner.put(DesiredResource { path: String::new(), tenant, name: name.to_owned(), spec, secret: None });
    planner.finish(&Filter::default())
}

fn leads_to(route: &str) -> Spec {
    let pool = PoolSpec { route: Some(route.to_owned()), ..PoolSpec::default() };
    Spec::Route(RouteSpec { pools: [("main".to_owned(), pool)].into(), ..RouteSpec::default() })
}

#[test]
fn a_pools_route_is_the_owners_or_the_operators_and_never_another_tenants() {
    let ring = keyring();
    let own = format!(
        "routes: {{ chat: {{ targets: [ p/m ] }} }}\n\
         tenants: {{ acme: {{ routes: {{ a: {}, b: {}, c: {{ targets: [ p/m ] }} }} }} }}",
        to("chat"),
        to("c")
    );
    let graph = world_of(&ring, &own);
    let missing = refused(&graph, &ring, &format!("routes: {{ chat: {} }}", to("c")));
    assert_eq!(missing, "routes.chat.pools.main.route: there is no route \"c\"");
    let missing =
        refused(&graph, &ring, &format!("tenants: {{ other: {{ routes: {{ x: {} }} }} }}", to("b")));
    assert_eq!(missing, "tenants.other.routes.x.pools.main.route: there is no route \"b\"");
    let mut planner = Planner::new(&graph, &ring);
    planner.delete(graph.id(Kind::Route, None, "chat").unwrap());
    let Err(PlanError::Conflict(why)) = planner.finish(&Filter::default()) else { panic!("deleted") };
    assert_eq!(why, "route \"a\" refers to route \"chat\" (pools.main.route)");
}

#[test]
fn cycles_are_refused_whichever_write_closes_them() {
    let ring = keyring();
    let both = document(&format!("routes: {{ a: {}, b: {} }}", to("b"), to("a")));
    let within = Document::read(&both, Format::Yaml).unwrap().desired().unwrap_err().to_string();
    assert_eq!(within, "routes.a.pools.main.route: a cycle: a → b → a");
    let graph = world_of(&ring, &format!("routes: {{ a: {}, b: {{ targets: [ p/m ] }} }}", to("b")));
    let closed = refused(&graph, &ring, &format!("routes: {{ b: {} }}", to("a")));
    assert_eq!(
        closed, "routes.b.pools.main.route: a cycle: b → a → b",
        "by a document that holds half of it"
    );
    let closed = invalid(put(&graph, &ring, None, "b", leads_to("a")));
    assert_eq!(closed, "pools.main.route: a cycle: b → a → b", "by one resource");
    let itself = invalid(put(&graph, &ring, None, "b", leads_to("b")));
    assert_eq!(itself, "pools.main.route: a cycle: b → b");
}

#[test]
fn a_tenants_shadow_closes_a_cycle_of_its_own_and_none_of_the_operators() {
    let ring = keyring();
    let graph = world_of(
        &ring,
        &format!(
            "routes: {{ a: {}, b: {{ targets: [ p/m ] }} }}\ntenants: {{ acme: {{ routes: {{ own: {} }} }} }}",
            to("b"),
            to("a")
        ),
    );
    // The operator's `a` leads to the operator's `b`, whatever a tenant calls its own.
    assert!(put(&graph, &ring, Some("acme"), "b", leads_to("a")).is_ok());
    let shadow = invalid(put(&graph, &ring, Some("acme"), "a", leads_to("own")));
    assert_eq!(shadow, "pools.main.route: a cycle: a → own → a");
    let itself = invalid(put(&graph, &ring, Some("acme"), "b", leads_to("b")));
    assert_eq!(itself, "pools.main.route: a cycle: b → b", "a shadow does not lead to what it hides");
}

#[test]
fn a_chain_of_eight_routes_is_the_longest() {
    let ring = keyring();
    let chain = |last: usize| {
        let links: Vec<_> = (1..last).map(|at| format!("r{at}: {}", to(&format!("r{}", at + 1)))).collect();
        format!("routes: {{ {}, r{last}: {{ targets: [ p/m ] }} }}", links.join(", "))
    };
    let names = "r1 → r2 → r3 → r4 → r5 → r6 → r7 → r8 → r9";
    let whole = refused(&ConfigGraph::default(), &ring, &chain(9));
    assert_eq!(whole, format!("routes.r1.pools.main.route: leads through more than 8 routes: {names}"));
    let graph = world_of(&ring, &chain(8));
    let longer = format!("routes: {{ r8: {}, r9: {{ targets: [ p/m ] }} }}", to("r9"));
    let end = refused(&graph, &ring, &longer);
    assert_eq!(end, format!("routes.r8.pools.main.route: leads through more than 8 routes: {names}"));
    let front = invalid(put(&graph, &ring, None, "r0", leads_to("r1")));
    assert!(front.starts_with("pools.main.route: leads through more than 8 routes: r0 → r1"), "{front}");
}

#[test]
fn a_shadow_that_goes_must_not_make_a_chain_too_long() {
    let ring = keyring();
    let links: Vec<_> = (1..8).map(|at| format!("r{at}: {}", to(&format!("r{}", at + 1)))).collect();
    let graph = world_of(
        &ring,
        &format!(
            "routes: {{ {}, r8: {{ targets: [ p/m ] }} }}\n\
             tenants: {{ acme: {{ routes: {{ own: {}, r1: {{ targets: [ p/m ] }} }} }} }}",
            links.join(", "),
            to("r1")
        ),
    );
    let acme = graph.id(Kind::Tenant, None, "acme");
    let mut planner = Planner::new(&graph, &ring);
    planner.delete(graph.id(Kind::Route, acme, "r1").unwrap());
    let Err(PlanError::Conflict(why)) = planner.finish(&Filter::default()) else { panic!("deleted") };
    assert!(why.starts_with("leads through more than 8 routes: own → r1 → r2"), "{why}");
}

#[test]
fn conditions_that_do_not_compile_or_cost_too_much_are_refused_with_the_reason() {
    let ring = keyring();
    let rule = |when: &str| {
        let rest = format!(
            "routes: {{ a: {{ rules: [ {{ preset: code, pool: x }}, {{ when: \"{when}\", pool: x }} ], pools: {{ x: {{ targets: [ p/m ] }} }} }} }}"
        );
        refused(&ConfigGraph::default(), &ring, &rest)
    };
    let costly = "request.tags.exists(a, request.tags.exists(b, request.tags[a] == request.tags[b]))";
    for (when, reason) in [
        ("request.images >", "line 1, column"),
        ("request.imagse > 0", "unknown name `request.imagse`; there are "),
        ("budget.used_ratio > 0.9", ""),
        ("request.images", "a condition must be true or false"),
        ("request.images > 'x'", ""),
        ("launch(request.model)", "unknown function `launch`"),
        ("", "the expression is empty"),
        (&"true || ".repeat(200), "the expression is 1600 bytes long"),
        (costly, "the expression may take "),
    ] {
        let found = rule(when);
        assert!(found.starts_with(&format!("routes.a.rules[1].when: {reason}")), "{when}: {found}");
        assert!(!found.contains('\n'), "{found}");
    }
    let accept = "routes: { a: { pools: { x: { cascade: [ { model: p/m, accept: { when: 'reply.good' } }, { model: p/n } ] } } } }";
    let found = refused(&ConfigGraph::default(), &ring, accept);
    assert!(
        found.starts_with("routes.a.pools.x.cascade[0].accept.when: unknown name `reply.good`; there are "),
        "{found}"
    );
}

#[test]
fn a_wrong_strictness_is_named_with_the_words_that_are_taken() {
    let read = |rest: &str| Document::read(&document(rest), Format::Yaml).unwrap_err().to_string();
    let words = "unknown value `lax`, expected one of `strict`, `default`, `lenient`";
    let route = "routes: { chat: { targets: [ p/m ], translation: lax } }";
    assert_eq!(read(route), format!("routes.chat.translation: {words}"));
    let key = "tenants: { acme: { keys: [ { name: k, translation: lax } ] } }";
    assert_eq!(read(key), format!("tenants.acme.keys[0].translation: {words}"));
    let key = "tenants: { acme: { keys: [ { name: k, translation_header: loosen } ] } }";
    let words = "unknown value `loosen`, expected `allow` or `tighten`";
    assert_eq!(read(key), format!("tenants.acme.keys[0].translation_header: {words}"));
}

#[test]
fn no_keys_priority_is_above_its_tenants() {
    let ring = keyring();
    let tenant = |own: &str, key: &str| {
        format!("tenants: {{ acme: {{ {own} keys: [ {{ name: k, priority: {key} }} ] }} }}")
    };
    let found = refused(&ConfigGraph::default(), &ring, &tenant("", "high"));
    assert_eq!(found, "tenants.acme.keys[0].priority: is above the tenant's, which is normal");
    let found = refused(&ConfigGraph::default(), &ring, &tenant("priority: low,", "normal"));
    assert_eq!(found, "tenants.acme.keys[0].priority: is above the tenant's, which is low");
    let graph = world_of(&ring, &tenant("priority: high,", "high"));
    let lower = Spec::Tenant(TenantSpec { priority: Some(Priority::Normal), ..TenantSpec::default() });
    let found = invalid(put(&graph, &ring, None, "acme", lower));
    assert_eq!(found, "priority: is below that of key \"k\", which is high");
    let key = |priority| Spec::Key(KeySpec { priority, ..KeySpec::default() });
    assert!(put(&graph, &ring, Some("acme"), "k", key(Some(Priority::Low))).is_ok());
    assert!(put(&graph, &ring, Some("acme"), "other", key(None)).is_ok());
}

#[test]
fn models_and_regions_that_nobody_knows_are_fine() {
    let ring = keyring();
    let far = "routes: { a: { strategy: nearest, distances: { nowhere: { atlantis: 3 } }, targets: [ p/unheard-of ] } }";
    assert!(apply(&ConfigGraph::default(), &ring, &document(far), false).is_ok());
}
