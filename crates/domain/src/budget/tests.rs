//! What budgets accept and refuse, and that windows follow each other without gaps.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Timestamp;

/// Zones with what is odd about clocks: changes at midnight and one minute after it, of half an hour, of a whole day.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Africa/Cairo",
    "Asia/Beirut",
];

const WINDOWS: [BudgetWindow; 5] =
    [BudgetWindow::Hour, BudgetWindow::Day, BudgetWindow::Week, BudgetWindow::Month, BudgetWindow::Total];

fn spec(written: serde_json::Value) -> BudgetSpec {
    serde_json::from_value(written).unwrap()
}

fn zone(name: &str) -> TimeZone {
    name.parse().unwrap()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start(window: BudgetWindow, at: &str, name: &str) -> String {
    second(window.at(moment(at), &zone(name)).start).to_string()
}

#[test]
fn what_is_not_written_is_not_shown_and_has_its_defaults() {
    let budget = spec(json!({ "cap": "$500" }));
    assert_eq!(serde_json::to_value(&budget).unwrap(), json!({ "cap": "500" }));
    assert_eq!((budget.window(), budget.time_zone.name()), (BudgetWindow::Month, "UTC"));
    assert_eq!(
        (budget.at_cap, budget.on_store_loss(), budget.observe),
        (AtCap::Reject, OnStoreLoss::Closed, false)
    );
    assert_eq!(budget.alerts(), [Share::percent(80)]);
    assert!(budget.problems().is_empty() && budget.per.is_none() && budget.filters().next().is_none());
    assert_eq!(spec(json!({ "cap": "$5", "per": "session" })).window(), BudgetWindow::Day);
    assert_eq!(spec(json!({ "cap": "$5", "per": "session", "window": "week" })).window(), BudgetWindow::Week);
}

#[test]
fn every_field_comes_back_as_it_was_written() {
    let written = json!({
        "cap": "2.5", "per": "tag:team", "for": { "feature": "bot", "tag:env": ["a", "b"] }, "window": "week",
        "time_zone": "Europe/Berlin", "at_cap": "alert", "observe": true, "alerts": ["50%", "90%"],
        "on_store_loss": "bounded", "per_replica": "1",
    });
    let budget = spec(written.clone());
    assert!(budget.problems().is_empty());
    assert_eq!(serde_json::to_value(&budget).unwrap(), written);
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let cases = [
        (json!({}), "missing field `cap`"),
        (json!({ "cap": "-5" }), "not below zero"),
        (json!({ "cap": "5 EUR" }), "is not an amount of US dollars"),
        (json!({ "cap": "$99999999999" }), "is not an amount of US dollars"),
        (json!({ "cap": "$1", "per": "tenant" }), "\"tenant\" is unknown; write key, user,"),
        (json!({ "cap": "$1", "per": "tag:" }), "names no tag"),
        (json!({ "cap": "$1", "for": { "colour": "red" } }), "\"colour\" is unknown"),
        (json!({ "cap": "$1", "for": { "user": 5 } }), "expected a value or a list of values"),
        (json!({ "cap": "$1", "window": "rolling" }), "rolling windows are not built yet"),
        (json!({ "cap": "$1", "window": { "rolling": "24h" } }), "rolling windows are not built yet"),
        (json!({ "cap": "$1", "window": "year" }), "\"year\" is no window; write hour,"),
        (json!({ "cap": "$1", "time_zone": "Europe/Bielefeld" }), "is no time zone of the IANA database"),
        (json!({ "cap": "$1", "time_zone": "Etc/Unknown" }), "is no time zone of the IANA database"),
        (json!({ "cap": "$1", "at_cap": { "use": "small" } }), "`use` is not built yet"),
        (json!({ "cap": "$1", "at_cap": "queue" }), "is neither reject nor alert"),
        (json!({ "cap": "$1", "alerts": ["101%"] }), "is not a share"),
        (json!({ "cap": "$1", "currency": "EUR" }), "unknown field `currency`"),
    ];
    for (written, expected) in cases {
        let told = serde_json::from_value::<BudgetSpec>(written.clone()).unwrap_err().to_string();
        assert!(told.contains(expected), "{written}: {told}");
    }
}

#[test]
fn what_contradicts_itself_is_named() {
    let cases = [
        (json!({ "cap": "$0" }), "cap"),
        (json!({ "cap": "$0.0000009" }), "cap"),
        (json!({ "cap": "$9000000000.000001" }), "cap"),
        (json!({ "cap": "$1", "for": {} }), "for"),
        (json!({ "cap": "$1", "for": { "user": [] } }), "for.user"),
        (json!({ "cap": "$1", "for": { "tag:team": "" } }), "for.tag:team"),
        (json!({ "cap": "$1", "for": { "model": "gpt" } }), "for.model"),
        (json!({ "cap": "$1", "for": { "model": "openai/gpt", "provider": "anthropic" } }), "for.model"),
        (json!({ "cap": "$1", "alerts": ["0%"] }), "alerts"),
        (json!({ "cap": "$1", "alerts": ["80%", "80%"] }), "alerts"),
        (json!({ "cap": "$1", "on_store_loss": "bounded" }), "per_replica"),
        (json!({ "cap": "$1", "on_store_loss": "open", "per_replica": "$1" }), "per_replica"),
        (json!({ "cap": "$1", "per_replica": "$1" }), "per_replica"),
        (json!({ "cap": "$1", "on_store_loss": "bounded", "per_replica": "$2" }), "per_replica"),
    ];
    for (written, field) in cases {
        let found = spec(written.clone()).problems();
        let fields: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(fields, [field], "{written}");
    }
    for fine in [
        json!({ "cap": "$9000000000" }),
        json!({ "cap": "$0.000001" }),
        json!({ "cap": "$1", "alerts": [] }),
        json!({ "cap": "$1", "per": "user", "for": { "user": "ann" } }),
        json!({ "cap": "$1", "for": { "model": "openai/gpt", "provider": ["anthropic", "openai"] } }),
    ] {
        assert!(spec(fine.clone()).problems().is_empty(), "{fine}");
    }
}

#[test]
fn windows_begin_where_the_calendar_of_the_zone_says() {
    use BudgetWindow::{Day, Hour, Month, Week};
    for (window, at, name, expected) in [
        (Hour, "2026-03-29T00:59:59Z", "Europe/Berlin", "2026-03-29T00:00:00Z"),
        (Hour, "2026-03-29T12:44:00Z", "Asia/Kathmandu", "2026-03-29T12:15:00Z"),
        (Day, "2026-03-29T21:59:59Z", "Europe/Berlin", "2026-03-28T23:00:00Z"),
        (Day, "2026-03-29T22:00:00Z", "Europe/Berlin", "2026-03-29T22:00:00Z"),
        (Week, "2026-12-06T23:59:59Z", "UTC", "2026-11-30T00:00:00Z"),
        (Week, "2026-12-06T23:00:00Z", "Europe/Berlin", "2026-12-06T23:00:00Z"),
        (Month, "2026-12-31T23:00:00Z", "Europe/Berlin", "2026-12-31T23:00:00Z"),
        (Month, "2026-12-31T22:59:59.999999Z", "Europe/Berlin", "2026-11-30T23:00:00Z"),
        (Month, "2024-02-29T12:00:00Z", "America/New_York", "2024-02-01T05:00:00Z"),
        // Midnight did not exist in São Paulo that day; the day began at one o'clock.
        (Day, "2018-11-04T03:00:00Z", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        // The clock of St. John's went from 00:01 back to 23:01: what came after it is of the new day still.
        (Day, "2010-11-07T02:45:00Z", "America/St_Johns", "2010-11-07T02:30:00Z"),
        (Day, "2010-11-07T03:00:00Z", "America/St_Johns", "2010-11-07T02:30:00Z"),
    ] {
        assert_eq!(start(window, at, name), expected, "{window} {at} {name}");
    }
    let total = BudgetWindow::Total.at(moment("2026-12-01"), &zone("Asia/Tokyo"));
    assert_eq!(total, WindowSpan { start: 0, previous: -1, end: None });
}

#[test]
fn a_day_that_the_calendar_left_out_is_no_window() {
    let apia = zone("Pacific/Apia");
    let day = BudgetWindow::Day.at(moment("2011-12-30T10:00:00Z"), &apia);
    let began = |second_: i64| second(second_).to_string();
    assert_eq!(began(day.start), "2011-12-30T10:00:00Z");
    assert_eq!(began(day.previous), "2011-12-29T10:00:00Z");
    assert_eq!(day.end.map(began).unwrap(), "2011-12-31T10:00:00Z");
}

#[test]
fn clocks_that_are_absurd_have_a_window() {
    for window in WINDOWS {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            for name in ZONES {
                let at = Timestamp::from_micros(micros);
                let span = window.at(at, &zone(name));
                assert!(span.previous < span.start && span.holds(at), "{window} {micros} {name}");
            }
        }
    }
}

#[test]
fn names_of_zones_are_kept_as_the_database_writes_them() {
    assert_eq!(zone("europe/berlin").name(), "Europe/Berlin");
    assert_eq!(serde_json::to_value(zone("utc")).unwrap(), json!("UTC"));
    assert_ne!(zone("Europe/Berlin"), zone("Europe/Paris"));
}

proptest! {
    /// A moment lies in its window, the window begins where the one before ended, and every moment of it has the same.
    #[test]
    fn windows_follow_each_other_without_gaps(
        at in 0..4_102_444_800_i64,
        window in prop::sample::select(&WINDOWS[..]),
        name in prop::sample::select(&ZONES[..]),
        within in 0.0..1.0_f64,
    ) {
        let zone = zone(name);
        let span = window.at(second(at), &zone);
        prop_assert!(span.previous < span.start && span.start <= at);
        prop_assert!(span.holds(second(at)));
        let Some(end) = span.end else { return Ok(()) };
        prop_assert!(at < end);
        let next = window.at(second(end), &zone);
        prop_assert_eq!((next.start, next.previous), (end, span.start));
        if span.start > 0 {
            let before = window.at(second(span.start - 1), &zone);
            prop_assert_eq!((before.start, before.end), (span.previous, Some(span.start)));
        }
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a moment by chance")]
        let other = span.start.max(0) + ((end - span.start.max(0)) as f64 * within) as i64;
        prop_assert_eq!(window.at(second(other.min(end - 1)), &zone), span);
    }

    /// Around every change of a clock, where windows are short, long or missing.
    #[test]
    fn changes_of_the_clock_leave_no_gap(
        from in 0..4_102_444_800_i64,
        window in prop::sample::select(&WINDOWS[..4]),
        name in prop::sample::select(&ZONES[..]),
        near in -7_300..7_300_i64,
    ) {
        let zone = zone(name);
        let from = jiff::Timestamp::from_second(from).unwrap();
        let Some(change) = zone.rules().following(from).next() else { return Ok(()) };
        let at = (change.timestamp().as_second() + near).max(0);
        let span = window.at(second(at), &zone);
        let end = span.end.unwrap();
        prop_assert!(span.previous < span.start && span.start <= at && at < end);
        prop_assert_eq!(window.at(second(end - 1), &zone), span);
        prop_assert_eq!(window.at(second(span.start.max(0)), &zone), span);
        let next = window.at(second(end), &zone);
        prop_assert_eq!((next.start, next.previous), (end, span.start));
    }
}
