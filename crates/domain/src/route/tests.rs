//! Forms of routes, and mistakes in them.

use super::*;

fn read(json: &str) -> RouteSpec {
    serde_json::from_str(json).unwrap()
}

fn problems(json: &str) -> Vec<String> {
    read(json).problems().into_iter().map(|(path, what)| format!("{path}: {what}")).collect()
}

#[test]
fn a_route_reads_short_and_long_targets() {
    let route = read(r#"{"targets":["a/b",{"model":"c/d/e","concurrent":3}],"timeouts":{"total":"10s"}}"#);
    assert_eq!(route.targets[1].model.model, "d/e");
    assert_eq!(route.timeouts.total, Duration::from_secs(10));
    assert_eq!(route.timeouts.connect, Timeouts::default().connect);
    let written = serde_json::to_value(&route).unwrap();
    assert_eq!(written["targets"][0], "a/b");
    assert_eq!(written["targets"][1], serde_json::json!({ "model": "c/d/e", "concurrent": 3 }));
    assert!(route.problems().is_empty());
    assert!(serde_json::from_str::<RouteSpec>(r#"{"targets":[{"model":"a/b","wieght":2}]}"#).is_err());
    assert!(serde_json::from_str::<ModelRef>(r#""gpt""#).is_err());
}

#[test]
fn every_form_of_a_pool_is_told() {
    let route = read(
        r#"{"rules":[{"preset":"code","pool":"a"}],"default":"b","pools":{"a":{"strategy":"sticky","targets":["p/m"]},
            "b":{"tiers":[{"targets":["p/m"]},{"strategy":"nearest","targets":["p/n"]}]},
            "c":{"cascade":[{"model":"p/m","accept":{"when":"true"}},{"model":"p/n"}]},"d":{"route":"other"}}}"#,
    );
    assert_eq!(route.problems(), []);
    let form = route.form();
    assert_eq!(form.default, "b");
    assert!(
        matches!(&form.pools["a"], PoolForm::Tiers(tiers) if tiers[0].strategy == Some(Strategy::Sticky))
    );
    assert!(matches!(&form.pools["b"], PoolForm::Tiers(tiers) if tiers.len() == 2));
    assert!(matches!(&form.pools["c"], PoolForm::Cascade(steps) if steps.len() == 2));
    assert!(matches!(&form.pools["d"], PoolForm::Route(route) if route == "other"));
    assert_eq!(route.models()[2].0, "pools.b.tiers[1].targets[0]");
    assert_eq!(route.models()[3].0, "pools.c.cascade[0].model");
    assert_eq!(route.routes(), [("pools.d.route".to_owned(), "other")]);
    assert_eq!(read(&serde_json::to_string(&route).unwrap()), route);
}

#[test]
fn every_mistake_names_its_path() {
    let cases = [
        ("{}", "targets: must hold at least one target"),
        (r#"{"strategy":"weighted","targets":[{"model":"a/b","weight":0}]}"#, "targets[0].weight: must be 1"),
        (r#"{"targets":[{"model":"a/b","weight":5}]}"#, "targets[0].weight: belongs to strategy"),
        (r#"{"targets":["a/b","a/b"]}"#, "targets[1].model: is named twice in this tier"),
        (r#"{"targets":["a/b"],"by":"user"}"#, "by: belongs to strategy `sticky`"),
        (r#"{"targets":["a/b"],"default":"x"}"#, "default: names a pool"),
        (r#"{"targets":["a/b"],"retry":{"attempts":0}}"#, "retry.attempts: must be 1 to 10"),
        (r#"{"targets":["a/b"],"pools":{"x":{"targets":["a/b"]}}}"#, "targets: excludes `pools`"),
        (r#"{"pools":{"x":{},"y":{"route":"z"}},"default":"x"}"#, "pools.x: needs `targets`, `tiers`"),
        (r#"{"pools":{"x":{"route":"z","targets":["a/b"]}}}"#, "pools.x.route: excludes `targets`"),
        (r#"{"pools":{"x":{"route":"z"},"y":{"route":"z"}}}"#, "default: is required"),
        (r#"{"pools":{"x":{"route":"z"}},"default":"y"}"#, "default: there is no pool \"y\"; there are x"),
        (
            r#"{"pools":{"x":{"route":"z"}},"rules":[{"preset":"code","pool":"y"}]}"#,
            "rules[0].pool: there is no pool",
        ),
        (r#"{"pools":{"x":{"route":"z"}},"rules":[{"pool":"x"}]}"#, "rules[0]: needs `when`"),
        (
            r#"{"pools":{"x":{"route":"z"}},"rules":[{"preset":"code","pool":"x"},{"preset":"code","pool":"x"}]}"#,
            "rules[1].name: is another rule's",
        ),
        (r#"{"pools":{"x":{"cascade":[{"model":"a/b"}]}}}"#, "pools.x.cascade: needs at least two steps"),
        (
            r#"{"pools":{"x":{"cascade":[{"model":"a/b"},{"model":"a/c"}]}}}"#,
            "pools.x.cascade[0].accept: is required",
        ),
        (
            r#"{"pools":{"x":{"cascade":[{"model":"a/b","accept":{"when":"true"}},{"model":"a/c","accept":{"when":"true"}}]}}}"#,
            "pools.x.cascade[1].accept: belongs to steps before the last",
        ),
        (
            r#"{"pools":{"x":{"tiers":[{"targets":["a/b"],"interval":"5s"}]}}}"#,
            "pools.x.tiers[0].interval: belongs to strategy `lowest_latency`",
        ),
    ];
    for (json, expected) in cases {
        let shown = problems(json);
        assert!(shown.iter().any(|problem| problem.starts_with(expected)), "{json}\n{shown:?}");
    }
}

/// What a proxy of the version before reads: it knows `targets` as texts and `timeouts`, and refuses everything else.
#[test]
fn a_short_route_is_written_as_the_version_before_wrote_it() {
    for json in [
        r#"{"targets":["a/b","c/d/e"]}"#,
        r#"{"targets":["a/b"],"timeouts":{"connect":"2s","first_token":"1m","between_tokens":"30s","total":"10s"}}"#,
    ] {
        assert_eq!(serde_json::to_string(&read(json)).unwrap(), json);
    }
    let spelled_out = r#"{"targets":[{"model":"a/b","weight":1}],"retry":{"attempts":3,"budget":"20%"},"queue":{"length":100,"wait":"1s"}}"#;
    assert_eq!(serde_json::to_string(&read(spelled_out)).unwrap(), r#"{"targets":["a/b"]}"#);
}
