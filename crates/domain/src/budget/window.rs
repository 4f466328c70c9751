//! Where the windows of a budget begin and end on the calendar.

use std::fmt;

use jiff::{ToSpan as _, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::TimeZone;
use crate::Timestamp;

/// Moments before 1970 are counted as its first second,
const FIRST: i64 = 0;
/// and those after the year 9000 as its last: calendars of the library end soon after.
const LAST: i64 = 221_845_391_999;
const HOUR: i64 = 3_600;

/// When a budget starts to count anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetWindow {
    /// Each hour of the clock.
    Hour,
    /// Each day.
    Day,
    /// Each Monday.
    Week,
    /// On the first of each month.
    Month,
    /// Never.
    Total,
}

/// One window, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSpan {
    /// When it begins.
    pub start: i64,
    /// When the one before it began; always less than `start`.
    pub previous: i64,
    /// When it ends, which is when the next begins; a total has no end.
    pub end: Option<i64>,
}

impl WindowSpan {
    /// The only window of a total.
    pub const TOTAL: Self = Self { start: 0, previous: -1, end: None };

    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        let second = second_of(at);
        self.start <= second && self.end.is_none_or(|end| second < end)
    }
}

impl BudgetWindow {
    const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Total];

    /// The name users write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window that holds a moment, with the one before it. Windows follow each other without gaps.
    #[must_use]
    pub fn at(self, at: Timestamp, zone: &TimeZone) -> WindowSpan {
        let second = second_of(at);
        let found = match self {
            Self::Total => None,
            Self::Hour => hour_with_previous(second, zone),
            Self::Day | Self::Week | Self::Month => self.on_calendar(second, zone),
        };
        // Moments are within the library's calendar, so what is not found is a total.
        found.unwrap_or(WindowSpan::TOTAL)
    }

    fn on_calendar(self, second: i64, zone: &TimeZone) -> Option<WindowSpan> {
        // A midnight that the clock skips is the moment it skips to; of one that it repeats, the first counts. So a date
        // alone does not tell the window: shortly after a repeated midnight it is the day before once more.
        let beginning = |first: Date| -> Option<i64> {
            let midnight = zone.rules().to_ambiguous_timestamp(first.at(0, 0, 0, 0)).compatible();
            Some(midnight.ok()?.as_second())
        };
        let today = zone.rules().to_datetime(jiff::Timestamp::from_second(second).ok()?).date();
        let mut first = self.first_day(today)?;
        while beginning(first)? > second {
            first = self.step(first, -1)?;
        }
        let mut start = beginning(first)?;
        let end = loop {
            let next = self.step(first, 1)?;
            let begins = beginning(next)?;
            if begins > second {
                break begins;
            }
            (first, start) = (next, begins);
        };
        // A day that the calendar left out, as Samoa's 2011-12-30, is no window.
        let previous = loop {
            first = self.step(first, -1)?;
            let begins = beginning(first)?;
            if begins < start {
                break begins;
            }
        };
        Some(WindowSpan { start, previous, end: Some(end) })
    }

    fn first_day(self, date: Date) -> Option<Date> {
        match self {
            Self::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).ok(),
            Self::Month => Some(date.first_of_month()),
            Self::Hour | Self::Day | Self::Total => Some(date),
        }
    }

    fn step(self, first: Date, count: i64) -> Option<Date> {
        let span = match self {
            Self::Week => count.weeks(),
            Self::Month => count.months(),
            Self::Hour | Self::Day | Self::Total => count.days(),
        };
        first.checked_add(span).ok()
    }
}

fn second_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(1_000_000).clamp(FIRST, LAST)
}

fn hour_with_previous(second: i64, zone: &TimeZone) -> Option<WindowSpan> {
    let (start, end) = hour(second, zone)?;
    let (previous, _) = hour(start - 1, zone)?;
    Some(WindowSpan { start, previous, end: Some(end) })
}

/// The hour of the clock that holds a moment; a change of the clock within the hour ends it.
fn hour(second: i64, zone: &TimeZone) -> Option<(i64, i64)> {
    let moment = |second| jiff::Timestamp::from_second(second).ok();
    let offset_at = |second| Some(i64::from(zone.rules().to_offset(moment(second)?).seconds()));
    let offset = offset_at(second)?;
    let start = (second + offset).div_euclid(HOUR) * HOUR - offset;
    let end = start + HOUR;
    let moves = |change: &i64| offset_at(change - 1) != offset_at(*change);
    let before = zone.rules().preceding(moment(second + 1)?).map(|change| change.timestamp().as_second());
    let after = zone.rules().following(moment(second)?).map(|change| change.timestamp().as_second());
    let start = before.take_while(|change| *change > start).find(moves).unwrap_or(start);
    let end = after.take_while(|change| *change < end).find(moves).unwrap_or(end);
    Some((start, end))
}

impl fmt::Display for BudgetWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BudgetWindow {
    /// The word; of the planned rolling windows the error says that they are planned.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        let rolling = match &written {
            serde_json::Value::String(word) => {
                if let Some(window) = Self::ALL.into_iter().find(|window| window.as_str() == word) {
                    return Ok(window);
                }
                word.contains("rolling")
            }
            serde_json::Value::Object(form) => form.contains_key("rolling"),
            _ => false,
        };
        Err(de::Error::custom(if rolling {
            "rolling windows are not built yet; write hour, day, week, month or total".to_owned()
        } else {
            format!("{written} is no window; write hour, day, week, month or total")
        }))
    }
}
