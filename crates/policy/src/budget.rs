//! A budget as requests meet it: which of them it counts, and which of its accounts each one draws from.

use std::{borrow::Cow, collections::BTreeMap};

use aws_lc_rs::digest::{SHA256, digest};
use domain::{
    AtCap, BudgetSpec, BudgetWindow, Dimension, Money, Resource, ResourceId, Timestamp, WindowSpan,
};

/// Accounts are named by values that clients choose; longer ones are replaced by a hash.
const LONGEST_VALUE: usize = 128;

/// A cap on what requests cost.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Its row.
    pub id: ResourceId,
    /// Tells its forms apart: another window, time zone, `per` or `for` gives another generation, with accounts of its
    /// own. A changed cap does not.
    pub generation: u32,
    /// Its name within the tenant.
    pub name: String,
    /// Its owner.
    pub tenant: ResourceId,
    /// The owner's name.
    pub tenant_name: String,
    /// The most that the requests of one window may cost, for each value of `per`.
    pub cap: Money,
    /// The revision of its row.
    pub revision: u64,
    /// What the owner wrote.
    pub spec: BudgetSpec,
    /// The keys that `for: { key: … }` names.
    keys: Vec<ResourceId>,
}

/// What a budget may ask of a request.
#[derive(Clone, Copy, Debug)]
pub struct BudgetFacts<'a> {
    /// The key that signed in.
    pub key: ResourceId,
    /// The end user, where one is named.
    pub user: Option<&'a str>,
    /// The application's feature, likewise.
    pub feature: Option<&'a str>,
    /// The session, likewise.
    pub session: Option<&'a str>,
    /// The client's tags; of several with one name the first counts.
    pub tags: &'a [(String, String)],
    /// The model that the request is sent to, as routes name it.
    pub model: Option<&'a str>,
    /// The provider that the request is sent to.
    pub provider: Option<&'a str>,
    /// The route that the client named.
    pub route: Option<&'a str>,
}

impl<'a> BudgetFacts<'a> {
    /// The request's value in a dimension; a key's is its id.
    fn value(&self, dimension: &Dimension) -> Option<Cow<'a, str>> {
        let text = match dimension {
            Dimension::Key => return Some(Cow::Owned(self.key.to_string())),
            Dimension::User => self.user,
            Dimension::Feature => self.feature,
            Dimension::Session => self.session,
            Dimension::Model => self.model,
            Dimension::Provider => self.provider,
            Dimension::Route => self.route,
            Dimension::Tag(name) => {
                self.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
            }
        };
        text.map(Cow::Borrowed)
    }
}

impl Budget {
    /// Of a row and its owner's; `key` finds the id of one of the owner's keys.
    pub(crate) fn new(
        row: &Resource,
        spec: &BudgetSpec,
        owner: &Resource,
        key: impl Fn(&str) -> Option<ResourceId>,
    ) -> Self {
        let names = spec.filters().filter(|(dimension, _)| **dimension == Dimension::Key);
        // A key that is not known signs nobody in, so nothing is overlooked without it.
        let keys = names.flat_map(|(_, values)| &values.0).filter_map(|name| key(name)).collect();
        Self {
            id: row.id,
            generation: budget_generation(spec),
            name: row.name.clone(),
            tenant: owner.id,
            tenant_name: owner.name.clone(),
            cap: spec.cap,
            revision: row.revision,
            spec: spec.clone(),
            keys,
        }
    }

    /// The window that holds a moment.
    #[must_use]
    pub fn window_at(&self, now: Timestamp) -> WindowSpan {
        self.spec.window().at(now, &self.spec.time_zone)
    }

    /// The account that a request draws from, by its value of `per`: empty where the budget has no `per`, and where the
    /// request has no such value. None where the budget does not count the request.
    #[must_use]
    pub fn account_value<'a>(&self, facts: &BudgetFacts<'a>) -> Option<Cow<'a, str>> {
        if !self.counts(facts) {
            return None;
        }
        let value = self.spec.per.as_ref().and_then(|dimension| facts.value(dimension)).unwrap_or_default();
        Some(if value.len() > LONGEST_VALUE { Cow::Owned(hashed(&value)) } else { value })
    }

    /// Whether requests are refused for it.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        !self.spec.observe && self.spec.at_cap == AtCap::Reject
    }

    /// Whether the filter lets a request through.
    #[must_use]
    pub fn counts(&self, facts: &BudgetFacts<'_>) -> bool {
        self.spec.filters().all(|(dimension, values)| match dimension {
            Dimension::Key => self.keys.contains(&facts.key),
            _ => facts.value(dimension).is_some_and(|value| values.0.iter().any(|one| *one == value)),
        })
    }
}

fn hashed(value: &str) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in digest(&SHA256, value.as_bytes()).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Tells the forms of a budget apart, by a hash of what decides which requests share an account. It outlives releases, so
/// its form must not change.
#[must_use]
pub fn budget_generation(spec: &BudgetSpec) -> u32 {
    let filter: BTreeMap<String, Vec<&str>> = spec
        .filters()
        .map(|(dimension, values)| {
            let mut values: Vec<&str> = values.0.iter().map(String::as_str).collect();
            values.sort_unstable();
            values.dedup();
            (dimension.to_string(), values)
        })
        .collect();
    let window = spec.window();
    // A total begins at no local time.
    let zone = (window != BudgetWindow::Total).then(|| spec.time_zone.name());
    let per = spec.per.as_ref().map(ToString::to_string);
    let form = serde_json::json!([window.as_str(), zone, per, filter]).to_string();
    let hash = digest(&SHA256, form.as_bytes());
    hash.as_ref().iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use domain::{Kind, test_support::resource};

    use super::*;

    fn budget(json: &str) -> Budget {
        let row = resource(None, Kind::Budget, "month", json).unwrap();
        let domain::Spec::Budget(spec) = &row.spec else { panic!("not a budget") };
        let owner = resource(None, Kind::Tenant, "acme", "{}").unwrap();
        Budget::new(&row, spec, &owner, |name| (name == "backend").then(|| key(1)))
    }

    fn key(number: u128) -> ResourceId {
        ResourceId(uuid::Uuid::from_u128(number))
    }

    fn facts(tags: &[(String, String)]) -> BudgetFacts<'_> {
        BudgetFacts {
            key: key(1),
            user: Some("ann"),
            feature: None,
            session: Some("s1"),
            tags,
            model: Some("openai/gpt"),
            provider: Some("openai"),
            route: Some("chat"),
        }
    }

    #[test]
    fn requests_draw_from_the_account_of_their_value() {
        let tags = [("team".to_owned(), "red".to_owned()), ("team".to_owned(), "blue".to_owned())];
        let facts = facts(&tags);
        let id = key(1).to_string();
        for (per, expected) in [
            ("", ""),
            (r#","per":"key""#, id.as_str()),
            (r#","per":"user""#, "ann"),
            (r#","per":"feature""#, ""),
            (r#","per":"session""#, "s1"),
            (r#","per":"model""#, "openai/gpt"),
            (r#","per":"provider""#, "openai"),
            (r#","per":"route""#, "chat"),
            (r#","per":"tag:team""#, "red"),
            (r#","per":"tag:other""#, ""),
        ] {
            let budget = budget(&format!(r#"{{"cap":"$5"{per}}}"#));
            assert_eq!(budget.account_value(&facts).as_deref(), Some(expected), "{per}");
        }
    }

    #[test]
    fn a_filter_counts_only_what_has_all_of_its_values() {
        let tags = [("team".to_owned(), "red".to_owned())];
        let facts = facts(&tags);
        for (filter, counts) in [
            (r#"{"user":"ann"}"#, true),
            (r#"{"user":["bob","ann"]}"#, true),
            (r#"{"user":"bob"}"#, false),
            (r#"{"user":"ann","route":"chat"}"#, true),
            (r#"{"user":"ann","route":"code"}"#, false),
            (r#"{"feature":"bot"}"#, false),
            (r#"{"key":"backend"}"#, true),
            (r#"{"key":"other"}"#, false),
            (r#"{"tag:team":"red","model":"openai/gpt","provider":"openai","session":"s1"}"#, true),
            (r#"{"tag:team":"blue"}"#, false),
        ] {
            let budget = budget(&format!(r#"{{"cap":"$5","for":{filter}}}"#));
            assert_eq!(budget.account_value(&facts).is_some(), counts, "{filter}");
        }
        let of_another_key = BudgetFacts { key: key(2), ..facts };
        assert!(budget(r#"{"cap":"$5","for":{"key":"backend"}}"#).account_value(&of_another_key).is_none());
    }

    #[test]
    fn a_long_value_is_replaced_by_its_hash() {
        let budget = budget(r#"{"cap":"$5","per":"user"}"#);
        let value = |user: &str| {
            let facts = BudgetFacts { user: Some(user), ..facts(&[]) };
            budget.account_value(&facts).unwrap().into_owned()
        };
        assert_eq!(value(&"a".repeat(128)), "a".repeat(128));
        let long = value(&"a".repeat(129));
        assert!(long.len() <= LONGEST_VALUE && long.starts_with("sha256:"), "{long}");
        assert_ne!(long, value(&"a".repeat(130)));
    }

    #[test]
    fn a_changed_cap_keeps_its_accounts_and_a_changed_scope_has_new_ones() {
        let of = |json: &str| budget(json).generation;
        let first = of(r#"{"cap":"$5","per":"user","for":{"feature":["a","b"]}}"#);
        for same in [
            r#"{"cap":"$7","per":"user","for":{"feature":["a","b"]}}"#,
            r#"{"cap":"$5","per":"user","for":{"feature":["b","a","b"]},"window":"month","time_zone":"UTC"}"#,
            r#"{"cap":"$5","per":"user","for":{"feature":["a","b"]},"observe":true,"alerts":["50%"],"at_cap":"alert"}"#,
        ] {
            assert_eq!(of(same), first, "{same}");
        }
        for other in [
            r#"{"cap":"$5","per":"key","for":{"feature":["a","b"]}}"#,
            r#"{"cap":"$5","per":"user","for":{"feature":"a"}}"#,
            r#"{"cap":"$5","per":"user","for":{"route":["a","b"]}}"#,
            r#"{"cap":"$5","per":"user","for":{"feature":["a","b"]},"window":"day"}"#,
            r#"{"cap":"$5","per":"user","for":{"feature":["a","b"]},"time_zone":"Europe/Berlin"}"#,
            r#"{"cap":"$5"}"#,
        ] {
            assert_ne!(of(other), first, "{other}");
        }
        let total = |zone: &str| of(&format!(r#"{{"cap":"$5","window":"total","time_zone":"{zone}"}}"#));
        assert_eq!(total("UTC"), total("Europe/Berlin"));
    }

    #[test]
    fn generations_outlive_releases() {
        let of = |json: &str| budget(json).generation;
        assert_eq!(of(r#"{"cap":"$5"}"#), 984_532_435);
        assert_eq!(
            of(r#"{"cap":"$5","per":"tag:team","for":{"user":["b","a"],"tag:x":"1"},"window":"week"}"#),
            1_662_212_904
        );
    }
}
