//! Waits and moments as providers write them.

use std::time::Duration;

use domain::Timestamp;
use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

use super::limits::MAX_WAIT;

/// Bare numbers from here on are moments in seconds since 1970, and in milliseconds from there on: as waits they
/// would be decades.
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLIS: f64 = 1e11;

/// How long to wait: a number of seconds, a duration (`1m30.5s`), or a moment (RFC 3339, an HTTP date, Unix time).
/// What has passed is no wait.
pub(super) fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Some(number) = number(value) {
        let micros = match number {
            EPOCH_MILLIS.. => number * 1e3,
            EPOCH_SECONDS.. => number * 1e6,
            _ => return span(number),
        };
        return until(micros, now);
    }
    if let Some(wait) = duration(value) {
        return Some(wait);
    }
    let moment = value.parse().ok().or_else(|| http_date(value, now))?;
    since(moment, now)
}

/// A number of milliseconds.
pub(super) fn millis(value: &str) -> Option<Duration> {
    span(number(value)? / 1e3)
}

/// Digits, with a fraction or without: no sign, no exponent, no words.
fn number(value: &str) -> Option<f64> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { value.parse().ok() } else { None }
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|&wait| wait <= MAX_WAIT)
}

#[allow(clippy::cast_possible_truncation, reason = "checked to be in range")]
fn until(micros: f64, now: Timestamp) -> Option<Duration> {
    (micros < 9e18).then(|| Timestamp::from_micros(micros as i64)).and_then(|moment| since(moment, now))
}

/// From now to a moment, unless that is absurdly far away.
fn since(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    let gap = Duration::from_micros(moment.micros().abs_diff(now.micros()));
    let left = if moment > now { gap } else { Duration::ZERO };
    (gap <= MAX_WAIT).then_some(left)
}

/// Go's form of a duration: numbers with units, largest first.
fn duration(value: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (value, 0.0);
    let mut before = f64::INFINITY;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number = number(&rest[..digits])?;
        rest = &rest[digits..];
        let end = rest.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(rest.len());
        let size = match &rest[..end] {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        if size >= before {
            return None;
        }
        before = size;
        seconds += number * size;
        rest = &rest[end..];
    }
    if before.is_finite() { span(seconds) } else { None }
}

/// An HTTP date (RFC 9110 §5.6.7), in today's form or one of the two obsolete ones.
fn http_date(value: &str, now: Timestamp) -> Option<Timestamp> {
    let words: Vec<&str> = value.split([' ', ',', '-']).filter(|word| !word.is_empty()).take(8).collect();
    let (year, month, day, time) = match words[..] {
        // `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`
        [_, day, month, year, time, "GMT" | "UTC"] => (year, month, day, time),
        // `Sun Nov  6 08:49:37 1994`
        [_, month, day, time, year] => (year, month, day, time),
        _ => return None,
    };
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)?;
    let at = |year: i16| -> Option<Timestamp> {
        let date = Date::new(year, i8::try_from(month + 1).ok()?, day.parse().ok()?).ok()?;
        let moment = date.to_datetime(clock(time)?).to_zoned(TimeZone::UTC).ok()?;
        Some(Timestamp::from_micros(moment.timestamp().as_microsecond()))
    };
    match (year.len(), year.parse::<i16>().ok()?) {
        (4, year) => at(year),
        // Two digits mean the century that is nearest: no date is more than fifty years ahead.
        (2, year) => {
            let centuries = [at(1900 + year), at(2000 + year), at(2100 + year)];
            centuries.into_iter().flatten().min_by_key(|moment| moment.micros().abs_diff(now.micros()))
        }
        _ => None,
    }
}

fn clock(time: &str) -> Option<Time> {
    let mut parts = time.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // A leap second is the one before it, for anybody who waits.
    Time::new(hour, minute, if second == 60 { 59 } else { second }, 0).ok()
}
