//! The examples of docs/routing.md, planned as `apply` plans them.

use super::*;

const PAGE: &str = include_str!("../../../../../docs/routing.md");
const WHOLE: &str = include_str!("../../../../../docs/examples/routing.yaml");

/// What the examples lean on: the demo's providers.
const DEMO: &str = "apiVersion: portcullis/v1\n\
    providers: { demo: PROVIDER, demo-messages: PROVIDER, demo-gemini: PROVIDER }";
const PROVIDER: &str = "{ kind: simulator, base_url: 'https://sim.example/v1', credentials: [ { name: main, secret: { value: s } } ] }";

/// What stands between `apply <<'END'`, or `<<END`, and `END`.
fn examples() -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = PAGE.lines();
    while lines.any(|line| line.starts_with("    apply <<")) {
        let block = lines.by_ref().take_while(|line| *line != "    END");
        let text: Vec<&str> = block.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
        found.push(format!("apiVersion: portcullis/v1\n{}", text.join("\n")));
    }
    found
}

fn documents() -> Vec<String> {
    let credentials = |text: &str| text.replace("{ env: ", "{ value: ").replace("{ file: ", "{ value: ");
    examples().into_iter().chain([credentials(WHOLE)]).collect()
}

#[test]
fn every_example_can_be_applied_and_comes_back_as_it_was() {
    let ring = keyring();
    let demo = DEMO.replace("PROVIDER", PROVIDER);
    let graph =
        carried_out(ConfigGraph::default(), apply(&ConfigGraph::default(), &ring, &demo, false).unwrap());
    let documents = documents();
    assert!(documents.len() > 12, "{}", documents.len());
    for text in documents {
        let text = text.replace("$SIM", "https://sim.example");
        let plan = apply(&graph, &ring, &text, false).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
        assert!(plan.changes.iter().any(|entry| entry.change != Change::Unchanged), "{text}");
        let graph = carried_out(graph.clone(), plan);
        let export = Document::from_resources(&graph.rows().cloned().collect::<Vec<_>>());
        let export = serde_json::to_string(&export).unwrap();
        assert!(lines(&apply(&graph, &ring, &export, true).unwrap()).is_empty(), "{text}");
    }
}
