//! Plans on made-up configurations: idempotence, references, deletion, secrets.

use admin_api::{Document, Format};
use secrets::MasterKey;

use super::*;

mod documented;
mod routes;

const TEXT: &str = "apiVersion: portcullis/v1\n\
    providers: { a: { kind: custom, base_url: 'https://a.example/v1', credentials: [ { name: m, secret: { value: hush } } ] } }\n\
    routes: { chat: { targets: [ a/x, a/y ] } }\n\
    models: { a/x: {} }\n\
    prices: [ { model: a/x, effective_from: 2026-01-01, input: $1, output: $2 } ]\n\
    tenants: { acme: { keys: [ { name: k, routes: [ chat, a/x ] } ], routes: { own: { targets: [ a/z ] } } } }";

fn keyring() -> Keyring {
    Keyring::new(&MasterKey::generate(), &[])
}

fn apply(graph: &ConfigGraph, ring: &Keyring, text: &str, prune: bool) -> Result<Plan, PlanError> {
    let desired = Document::read(text, Format::Yaml).unwrap().desired().unwrap();
    let mut planner = Planner::new(graph, ring);
    planner.apply(desired, prune);
    planner.finish(&Filter::default())
}

/// The graph after a plan was carried out.
fn carried_out(mut graph: ConfigGraph, plan: Plan) -> ConfigGraph {
    for draft in plan.drafts {
        let sealed = draft.sealed.or_else(|| graph.get(draft.id).and_then(|row| row.sealed.clone()));
        let ResourceDraft { id, tenant, name, spec, .. } = draft;
        graph.insert(Resource { id, tenant, name, spec, revision: 1, sealed });
    }
    for id in plan.deletes {
        graph.remove(id).unwrap();
    }
    graph
}

fn lines(plan: &Plan) -> Vec<String> {
    let changed = plan.changes.iter().filter(|entry| entry.change != Change::Unchanged);
    changed
        .map(|entry| format!("{:?} {} {} {}", entry.change, entry.kind, entry.name, entry.fields.join(",")))
        .collect()
}

fn invalid(result: Result<Plan, PlanError>) -> String {
    match result {
        Err(PlanError::Invalid(invalid)) => invalid.to_string(),
        Err(PlanError::Conflict(why)) => panic!("a conflict: {why}"),
        Ok(plan) => panic!("not refused: {:?}", plan.changes),
    }
}

#[test]
fn applying_twice_changes_nothing_and_keeps_every_secret() {
    let ring = keyring();
    let plan = apply(&ConfigGraph::default(), &ring, TEXT, true).ok().unwrap();
    assert_eq!((plan.drafts.len(), plan.secrets.len()), (8, 1));
    let graph = carried_out(ConfigGraph::default(), plan);
    let again = apply(&graph, &ring, TEXT, true).unwrap();
    assert!(again.drafts.is_empty() && again.deletes.is_empty() && again.secrets.is_empty());
    assert!(again.changes.iter().all(|entry| entry.change == Change::Unchanged));
    let exported = Document::from_resources(&graph.rows().cloned().collect::<Vec<_>>());
    let exported = serde_json::to_string(&exported).unwrap();
    assert!(!exported.contains("hush"));
    assert!(lines(&apply(&graph, &ring, &exported, true).unwrap()).is_empty());
    let changed = TEXT.replace("hush", "other").replace("a/y", "a/w");
    assert_eq!(
        lines(&apply(&graph, &ring, &changed, false).unwrap()),
        ["Update credential a/m secret", "Update route chat targets"]
    );
}

#[test]
fn a_lost_master_key_does_not_lock_the_operator_out() {
    let graph =
        carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), &keyring(), TEXT, false).unwrap());
    let plan = apply(&graph, &keyring(), TEXT, false).unwrap();
    assert_eq!(lines(&plan), ["Update credential a/m secret"]);
}

#[test]
fn references_must_resolve_and_errors_name_the_field() {
    let ring = keyring();
    let refuse =
        |from: &str, to: &str| invalid(apply(&ConfigGraph::default(), &ring, &TEXT.replace(from, to), false));
    assert_eq!(refuse("[ a/x, a/y ]", "[ a/x, b/y ]"), "routes.chat.targets[1]: there is no provider \"b\"");
    assert_eq!(
        refuse("[ chat, a/x ]", "[ chart ]"),
        "tenants.acme.keys[0].routes[0]: there is no route \"chart\""
    );
    assert_eq!(refuse("model: a/x", "model: c/x"), "prices[0].model: there is no provider \"c\"");
    assert!(refuse("kind: custom", "kind: opanai").starts_with("providers.a.kind: "));
    assert!(
        refuse("base_url: 'https://a.example/v1', ", "").starts_with("providers.a.base_url: is required")
    );
    assert!(refuse("https://a.example", "http://169.254.169.254").starts_with("providers.a.base_url: "));
    assert!(
        refuse(", secret: { value: hush }", "").starts_with("providers.a.credentials[0].secret: is required")
    );
}

#[test]
fn tenants_make_a_tree_of_bounded_depth() {
    let ring = keyring();
    let tree = |tenants: &str| {
        let text = format!("apiVersion: portcullis/v1\ntenants: {{ {tenants} }}");
        apply(&ConfigGraph::default(), &ring, &text, false)
    };
    let refused = |tenants: &str| invalid(tree(tenants));
    assert!(tree("a: {}, b: { parent: a }, c: { parent: b }, d: { parent: c }, e: { parent: a }").is_ok());
    assert_eq!(refused("a: { parent: z }"), "tenants.a.parent: there is no tenant \"z\"");
    assert_eq!(refused("a: { parent: a }"), "tenants.a.parent: a cycle: a → a");
    assert_eq!(
        refused("a: { parent: b }, b: { parent: c }, c: { parent: a }, d: { parent: a }"),
        "tenants.a.parent: a cycle: a → b → c → a"
    );
    assert_eq!(
        refused("a: {}, b: { parent: a }, c: { parent: b }, d: { parent: c }, e: { parent: d }"),
        "tenants.e.parent: at most 4 tenants may be above each other: e → d → c → b → a"
    );
}

#[test]
fn a_tenant_moves_unless_those_below_it_need_where_it_was() {
    let ring = keyring();
    let text = "apiVersion: portcullis/v1\n\
        providers: { p: { kind: ollama } }\n\
        tenants:\n  \
          top: { routes: { chat: { targets: [ p/x ] } } }\n  \
          other: { parent: top, routes: { own: { targets: [ p/x ] } } }\n  \
          middle: { parent: top }\n  \
          leaf: { parent: middle, keys: [ { name: k, routes: [ chat ] } ] }\n  \
          free: {}\n  \
          deep: { parent: leaf }\n";
    let graph =
        carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), &ring, text, false).unwrap());
    let moved = |to: &str| {
        apply(&graph, &ring, &format!("apiVersion: portcullis/v1\ntenants: {{ middle: {to} }}"), false)
    };
    let conflict = |plan: Result<Plan, PlanError>| match plan {
        Err(PlanError::Conflict(why)) => why,
        _ => panic!("no conflict"),
    };
    assert_eq!(conflict(moved("{}")), "key \"k\" refers to route \"chat\" (routes[0])");
    assert_eq!(conflict(moved("{ parent: free }")), "key \"k\" refers to route \"chat\" (routes[0])");
    assert_eq!(
        invalid(moved("{ parent: other }")),
        "tenants.middle.parent: at most 4 tenants may be above each other: deep → leaf → middle → other → top"
    );
    assert_eq!(
        invalid(moved("{ parent: deep }")),
        "tenants.middle.parent: a cycle: middle → deep → leaf → middle"
    );
    let shorter = text.replace("  deep: { parent: leaf }\n", "");
    let graph = carried_out(graph.clone(), apply(&graph, &ring, &shorter, true).unwrap());
    let to_other = "apiVersion: portcullis/v1\ntenants: { middle: { parent: other } }";
    assert_eq!(lines(&apply(&graph, &ring, to_other, false).unwrap()), ["Update tenant middle parent"]);
    let mut planner = Planner::new(&graph, &ring);
    planner.delete_cascading(graph.id(Kind::Tenant, None, "middle").unwrap());
    assert_eq!(
        conflict(planner.finish(&Filter::default())),
        "tenant \"leaf\" refers to tenant \"middle\" (parent); key \"k\" refers to route \"chat\" (routes[0])"
    );
}

#[test]
fn a_budget_that_would_count_nothing_is_refused() {
    let ring = keyring();
    let told = |filter: &str| {
        let budget = format!("acme: {{ budgets: [ {{ name: m, cap: $5, for: {filter} }} ],");
        let text = TEXT.replace("acme: {", &budget);
        apply(&ConfigGraph::default(), &ring, &text, false)
    };
    let refused = |filter: &str| invalid(told(filter));
    let at = "tenants.acme.budgets[0].for";
    assert_eq!(refused("{ key: nope }"), format!("{at}.key: there is no key \"nope\" of this owner"));
    assert_eq!(refused("{ route: chart }"), format!("{at}.route: there is no route \"chart\""));
    assert_eq!(refused("{ provider: [ a, b ] }"), format!("{at}.provider: there is no provider \"b\""));
    assert_eq!(refused("{ model: b/x }"), format!("{at}.model: there is no provider \"b\""));
    for fine in ["{ key: k }", "{ route: [ chat, a/x ] }", "{ model: a/x, provider: a, user: ann }"] {
        assert!(told(fine).is_ok(), "{fine}");
    }
}

#[test]
fn a_tenants_provider_never_gets_the_operators_credential() {
    let ring = keyring();
    let graph =
        carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), &ring, TEXT, false).unwrap());
    let acme = graph.id(Kind::Tenant, None, "acme");
    let mut planner = Planner::new(&graph, &ring);
    let spec = Spec::Credential(domain::CredentialSpec {
        provider: "a".into(),
        weight: 1,
        disabled: false,
        limits: domain::CredentialLimits::default(),
    });
    let secret = Some(SecretText::new("s".into()).unwrap());
    planner.put(DesiredResource { path: String::new(), tenant: acme, name: "a/m".into(), spec, secret });
    assert_eq!(
        invalid(planner.finish(&Filter::default())),
        "provider: there is no provider \"a\" of this owner"
    );
}

#[test]
fn what_is_needed_cannot_be_deleted_and_belongings_go_along() {
    let ring = keyring();
    let graph =
        carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), &ring, TEXT, false).unwrap());
    let delete = |kind, name, cascade| {
        let mut planner = Planner::new(&graph, &ring);
        let id = graph.id(kind, None, name).unwrap();
        if cascade {
            planner.delete_cascading(id)
        } else {
            planner.delete(id)
        }
        planner.finish(&Filter::default())
    };
    let Err(PlanError::Conflict(why)) = delete(Kind::Route, "chat", false) else { panic!("deleted") };
    assert_eq!(why, "key \"k\" refers to route \"chat\" (routes[0])");
    let Err(PlanError::Conflict(why)) = delete(Kind::Provider, "a", true) else { panic!("deleted") };
    assert!(
        why.contains("route \"chat\" refers to provider \"a\" (targets[0])") && !why.contains("credential")
    );
    let Err(PlanError::Conflict(why)) = delete(Kind::Tenant, "acme", false) else { panic!("deleted") };
    assert!(why.contains("key \"k\" belongs to tenant \"acme\""), "{why}");
    let plan = delete(Kind::Tenant, "acme", true).unwrap();
    assert_eq!(plan.deletes.len(), 3);
    let pruned = apply(&graph, &ring, "apiVersion: portcullis/v1", true).unwrap();
    assert_eq!(carried_out(graph.clone(), pruned).rows().count(), 0);
}

#[test]
fn rotation_keeps_the_old_secret_for_the_grace_period() {
    let ring = keyring();
    let plan = apply(&ConfigGraph::default(), &ring, TEXT, false).unwrap();
    let first = ring.digest(&plan.secrets[0].secret);
    let graph = carried_out(ConfigGraph::default(), plan);
    let key = graph.rows().find(|row| row.kind() == Kind::Key).unwrap();
    let mut planner = Planner::new(&graph, &ring);
    planner.rotate(key, Some(77));
    let plan = planner.finish(&Filter::default()).unwrap();
    let seal = ApiKeyDigests::decode(plan.drafts[0].sealed.as_ref().unwrap()).unwrap();
    assert_eq!(seal.current, ring.digest(&plan.secrets[0].secret));
    assert_eq!(seal.previous, Some((first, 77)));
}
