//! Every condition of a route as it is written, compiled to see whether it can be.

use domain::{Problem, RouteSpec};

use super::program::Program;

/// The conditions of a route that do not compile or cost too much, each by its field's path within the route.
#[must_use]
pub fn problems(route: &RouteSpec) -> Vec<Problem> {
    let rules = route.rules.iter().enumerate().filter_map(|(number, rule)| {
        let error = Program::rule(rule.when.as_deref()?).err()?;
        Some((format!("rules[{number}].when"), error.to_string()))
    });
    let pools = route.pools.iter().flat_map(|(pool, spec)| {
        spec.cascade.iter().enumerate().filter_map(move |(number, step)| {
            let error = Program::acceptance(&step.accept.as_ref()?.when).err()?;
            Some((format!("pools.{pool}.cascade[{number}].accept.when"), error.to_string()))
        })
    });
    rules.chain(pools).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_compiled_as_what_it_is() {
        let route = r#"{
            "rules": [
                { "when": "request.images > 0", "pool": "a" },
                { "preset": "code", "pool": "a" },
                { "when": "reply.refusal", "pool": "a" }
            ],
            "pools": { "a": { "cascade": [
                { "model": "p/m", "accept": { "when": "!reply.refusal" } },
                { "model": "p/n", "accept": { "when": "request.images > 0" } },
                { "model": "p/o" }
            ] } }
        }"#;
        let found = problems(&serde_json::from_str(route).unwrap());
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["rules[2].when", "pools.a.cascade[1].accept.when"]);
        assert!(found.iter().all(|(_, what)| what.starts_with("unknown name")), "{found:?}");
    }
}
