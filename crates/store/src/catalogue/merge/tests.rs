//! Every case of a file that meets what is there.

use super::*;

fn price(from: &str, input: &str) -> PriceSpec {
    serde_json::from_value(serde_json::json!({
        "model": "openai/m", "effective_from": from, "input": input, "output": "9",
    }))
    .unwrap()
}

fn file(prices: &[(&str, &str)]) -> Catalogue {
    let prices = prices.iter().map(|(from, input)| price(from, input)).collect();
    Catalogue { version: "2027-01-01".to_owned(), prices, ..Catalogue::default() }
}

fn rows(prices: &[(&str, &str)]) -> Vec<CatalogueRow> {
    let model: ModelRef = "openai/m".parse().unwrap();
    let facts = prices.iter().map(|(from, input)| Fact::Price(Box::new(price(from, input))));
    std::iter::once(Fact::Model(ModelSpec::default()))
        .chain(facts)
        .map(|fact| CatalogueRow { id: ResourceId::new(), model: model.clone(), revision: 1, fact })
        .collect()
}

/// The prices that are written, and whether each takes the place of one that was there.
fn written(there: &[(&str, &str)], new: &[(&str, &str)], now: &str) -> Vec<(String, String, bool)> {
    let there = rows(there);
    let ids: Vec<ResourceId> = there.iter().map(|row| row.id).collect();
    let writes = merge(there, &file(new), now.parse().unwrap());
    let prices = writes.into_iter().filter_map(|write| match write.fact {
        Fact::Price(price) => {
            Some((price.effective_from.to_string(), price.input.to_string(), ids.contains(&write.id)))
        }
        Fact::Model(_) => None,
    });
    prices.collect()
}

fn begins(from: &str, input: &str) -> (String, String, bool) {
    (format!("{from}T00:00:00Z"), input.to_owned(), false)
}

#[test]
fn the_first_price_of_a_model_begins_when_the_file_says() {
    assert_eq!(written(&[], &[("2026-01-01", "1")], "2027-01-01"), [begins("2026-01-01", "1")]);
    let writes = merge(Vec::new(), &file(&[("2026-01-01", "1")]), "2027-01-01".parse().unwrap());
    assert!(matches!(writes[0].fact, Fact::Model(_)), "a model has a row of its own");
}

#[test]
fn the_same_price_again_changes_nothing_whatever_its_date() {
    for from in ["2025-01-01", "2026-01-01", "2026-06-01", "2030-01-01"] {
        assert_eq!(written(&[("2026-01-01", "1")], &[(from, "1")], "2027-01-01"), [], "{from}");
    }
}

#[test]
fn another_price_begins_now_or_later_and_never_before() {
    let there = [("2026-01-01", "1")];
    assert_eq!(written(&there, &[("2026-06-01", "2")], "2027-01-01"), [begins("2027-01-01", "2")]);
    assert_eq!(written(&there, &[("2026-01-01", "2")], "2027-01-01"), [begins("2027-01-01", "2")]);
    assert_eq!(written(&there, &[("2028-01-01", "2")], "2027-01-01"), [begins("2028-01-01", "2")]);
}

#[test]
fn a_price_of_the_future_may_still_be_corrected() {
    let there = [("2026-01-01", "1"), ("2028-01-01", "2")];
    let corrected = written(&there, &[("2028-01-01", "3")], "2027-01-01");
    assert_eq!(corrected, [("2028-01-01T00:00:00Z".to_owned(), "3".to_owned(), true)]);
}

#[test]
fn several_prices_of_one_file_follow_each_other() {
    let two = [("2029-01-01", "3"), ("2026-06-01", "2")];
    let expected = [begins("2027-01-01", "2"), begins("2029-01-01", "3")];
    assert_eq!(written(&[("2026-01-01", "1")], &two, "2027-01-01"), expected);
}

#[test]
fn facts_that_differ_take_the_place_of_those_that_are_there() {
    let there = rows(&[]);
    let id = there[0].id;
    let mut new = file(&[]);
    new.models.insert("openai/m".parse().unwrap(), ModelSpec { context: Some(8), ..ModelSpec::default() });
    let writes = merge(there, &new, "2027-01-01".parse().unwrap());
    assert!(writes.len() == 1 && writes[0].id == id);
    assert_eq!(merge(rows(&[]), &file(&[]), "2027-01-01".parse().unwrap()).len(), 0);
}
