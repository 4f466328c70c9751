//! What a catalogue file changes in a catalogue: pure, so that every case can be shown.

use std::collections::BTreeMap;

use domain::{Catalogue, ModelRef, ModelSpec, PriceSpec, ResourceId, Timestamp};

use super::{CatalogueRow, Fact};

/// A row to be written: a new one, or one that takes another's place under its id.
pub(super) struct Write {
    pub(super) id: ResourceId,
    pub(super) model: ModelRef,
    pub(super) fact: Fact,
}

/// What is there already of one model.
#[derive(Default)]
struct Known {
    facts: Option<(ResourceId, ModelSpec)>,
    /// By their beginning.
    prices: BTreeMap<Timestamp, (ResourceId, PriceSpec)>,
}

/// The rows that make the catalogue say what the file says. What the file does not name stays as it is.
///
/// A price that is in force, or was, is never changed: what differs from it begins when it is imported, or later
/// where the file says so. So what a request was charged by stays written for ever.
pub(super) fn merge(there: Vec<CatalogueRow>, file: &Catalogue, now: Timestamp) -> Vec<Write> {
    let mut known: BTreeMap<ModelRef, Known> = BTreeMap::new();
    for row in there {
        let known = known.entry(row.model).or_default();
        match row.fact {
            Fact::Model(spec) => known.facts = Some((row.id, spec)),
            Fact::Price(price) => {
                known.prices.insert(price.effective_from, (row.id, *price));
            }
        }
    }
    let mut writes = Vec::new();
    for (model, facts) in &file.models {
        facts_of(known.entry(model.clone()).or_default(), model, Some(facts), &mut writes);
    }
    let mut prices: Vec<&PriceSpec> = file.prices.iter().collect();
    prices.sort_by_key(|price| price.effective_from);
    for price in prices {
        let known = known.entry(price.model.clone()).or_default();
        // A model of which nothing but its price is known has a row all the same: rows are listed by models.
        facts_of(known, &price.model, None, &mut writes);
        price_of(known, price, now, &mut writes);
    }
    writes
}

fn facts_of(known: &mut Known, model: &ModelRef, facts: Option<&ModelSpec>, writes: &mut Vec<Write>) {
    let same = match (&known.facts, facts) {
        (Some((_, there)), Some(facts)) => there == facts,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if !same {
        let id = known.facts.as_ref().map_or_else(ResourceId::new, |(id, _)| *id);
        let facts = facts.cloned().unwrap_or_default();
        known.facts = Some((id, facts.clone()));
        writes.push(Write { id, model: model.clone(), fact: Fact::Model(facts) });
    }
}

fn price_of(known: &mut Known, price: &PriceSpec, now: Timestamp, writes: &mut Vec<Write>) {
    // The first price of a model may have begun before: no other price was charged.
    let from = match known.prices.is_empty() {
        true => price.effective_from,
        false => price.effective_from.max(now),
    };
    let before = known.prices.range(..=from).next_back().map(|(_, (id, before))| (*id, before));
    if before.is_some_and(|(_, before)| before.same_rates(price)) {
        return;
    }
    let id = match before {
        Some((id, before)) if before.effective_from == from && from > now => id,
        _ => ResourceId::new(),
    };
    let price = PriceSpec { effective_from: from, ..price.clone() };
    known.prices.insert(from, (id, price.clone()));
    writes.push(Write { id, model: price.model.clone(), fact: Fact::Price(Box::new(price)) });
}

#[cfg(test)]
mod tests;
