//! Which pool a request goes to: rules, defaults, presets, and routes that stand for pools.

use domain::{Kind, Preset};
use policy::RoutingError;
use wire::Shape;

use crate::{
    question::{Desk, Question, first, order},
    world::World,
};

fn desk(route: &str) -> Desk {
    Desk::chat("abc", route)
}

#[test]
fn the_first_rule_that_matches_chooses_and_the_rest_goes_to_the_default() {
    let desk = desk(
        r#"{"default":"c","pools":{"a":{"targets":["a/m"]},"b":{"targets":["b/m"]},"c":{"targets":["c/m"]}},
            "rules":[{"name":"long","when":"request.input_tokens > 1000","pool":"a"},
                     {"when":"request.input_tokens > 500","pool":"b"}]}"#,
    );
    let chosen = |input_tokens| {
        let plan = desk.ask(&Question { input_tokens, ..Question::of("chat") }).unwrap();
        (first(&plan), plan.pool.to_string(), plan.rule)
    };
    let named = |target: &str, pool: &str, rule: Option<&str>| {
        (target.to_owned(), pool.to_owned(), rule.map(str::to_owned))
    };
    assert_eq!(chosen(1_001), named("a/m", "a", Some("long")));
    assert_eq!(chosen(1_000), named("b/m", "b", Some("rules[1]")));
    assert_eq!(chosen(500), named("c/m", "c", None));
}

#[test]
fn an_explanation_has_every_rules_verdict_and_changes_nothing() {
    let desk = desk(
        r#"{"default":"b","pools":{"a":{"targets":["a/m"]},"b":{"targets":["b/m"]}},
            "rules":[{"name":"fails","when":"request.tags['plan'] == 'x'","pool":"a"},
                     {"name":"no","when":"request.stream","pool":"a"},
                     {"name":"yes","when":"request.model == 'chat'","pool":"a"},
                     {"name":"late","preset":"small_prompt","pool":"b"}]}"#,
    );
    let short = desk.ask(&Question::of("chat")).unwrap();
    let long = desk.ask(&Question { explain: true, ..Question::of("chat") }).unwrap();
    assert_eq!((order(&short), &short.rule), (order(&long), &long.rule));
    assert_eq!((short.rules.len(), first(&short), short.rule.as_deref()), (0, "a/m".to_owned(), Some("yes")));
    let verdict = |number: usize| long.rules[number].matched.clone();
    assert!(verdict(0).is_err(), "a tag that is not there: {:?}", verdict(0));
    assert_eq!((verdict(1), verdict(2), verdict(3)), (Ok(false), Ok(true), Ok(true)));
    let tagged = Question { tags: vec![("plan".into(), "x".into())], ..Question::of("chat") };
    assert_eq!(desk.ask(&tagged).unwrap().rule.as_deref(), Some("fails"));
}

#[test]
fn presets_tell_requests_apart_and_the_body_is_only_read_where_they_ask() {
    let pools = r#""default":"c","pools":{"a":{"targets":["a/m"]},"c":{"targets":["c/m"]}}"#;
    let plain = Question::of("chat");
    let mut vision = plain.clone();
    vision.facts.images = 1;
    let shaped = |shape: Shape| Question { shape, ..plain.clone() };
    let cases = [
        (Preset::SmallPrompt, plain.clone(), Question { input_tokens: 5_000, ..plain.clone() }),
        (Preset::LongContext, Question { input_tokens: 90_000, ..plain.clone() }, plain.clone()),
        (
            Preset::Reasoning,
            shaped(Shape { reasoning_effort: Some("high"), ..Shape::default() }),
            plain.clone(),
        ),
        (Preset::Code, shaped(Shape { code_share: 0.9, ..Shape::default() }), plain.clone()),
        (Preset::Vision, vision, plain.clone()),
        (Preset::Tools, shaped(Shape { tools: 2, ..Shape::default() }), plain.clone()),
    ];
    assert_eq!(cases.len(), Preset::ALL.len());
    for (preset, yes, no) in cases {
        let name = preset.as_str();
        let desk = desk(&format!(r#"{{{pools},"rules":[{{"preset":"{name}","pool":"a"}}]}}"#));
        let rule = |question: &Question| desk.ask(question).unwrap().rule;
        assert_eq!((rule(&yes).as_deref(), rule(&no)), (Some(name), None), "{name}");
    }
}

#[test]
fn a_pool_may_be_another_route_whose_rules_choose_on() {
    let desk = Desk::new(|world, _| {
        for name in ["a", "b", "c"] {
            world.provider(name, 1, "");
        }
        world.route("outer", r#"{"default":"p","pools":{"p":{"route":"inner"}}}"#);
        world.route(
            "inner",
            r#"{"default":"b","pools":{"a":{"targets":["a/m"]},"b":{"targets":["b/m","c/m"]}},"panic_threshold":"7%",
                "rules":[{"name":"streams","when":"request.stream","pool":"a"}]}"#,
        );
        world.route("lost", r#"{"default":"p","pools":{"p":{"route":"nowhere"}}}"#);
        world.route("ring", r#"{"default":"p","pools":{"p":{"route":"ring"}}}"#);
    });
    let plan = desk.ask(&Question::of("outer")).unwrap();
    assert_eq!(
        (plan.route.as_str(), &*plan.pool, order(&plan)),
        ("outer", "b", vec!["b/m".into(), "c/m".into()])
    );
    assert_eq!(plan.terms.panic_threshold, domain::Share::percent(7), "the terms of the route that serves");
    let mut stream = Question::of("outer");
    stream.facts.stream = true;
    assert_eq!(desk.ask(&stream).unwrap().rule.as_deref(), Some("streams"));
    for (route, reason) in [("lost", "does not exist"), ("ring", "deep")] {
        let Err(RoutingError::OutOfService { reason: said, .. }) = desk.ask(&Question::of(route)) else {
            panic!("{route} was planned")
        };
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_tenants_route_and_what_it_leads_to_are_its_own() {
    let chain = |world: &mut World, owner, target: &str| {
        world.add(owner, Kind::Route, "inner", &format!(r#"{{"targets":["{target}"]}}"#));
    };
    let desk = Desk::new(|world, tenant| {
        world.provider("a", 1, "");
        world.provider("b", 1, "");
        chain(world, None, "a/m");
        chain(world, Some(tenant), "b/m");
        let lead = r#"{"default":"p","pools":{"p":{"route":"inner"}}}"#;
        world.add(None, Kind::Route, "operators", lead);
        world.add(Some(tenant), Kind::Route, "own", lead);
    });
    let served = |route: &str| first(&desk.ask(&Question::of(route)).unwrap());
    assert_eq!(
        (served("own"), served("inner"), served("operators")),
        ("b/m".into(), "b/m".into(), "a/m".into())
    );
}
