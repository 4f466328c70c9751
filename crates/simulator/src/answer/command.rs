//! Lines of a user's message that steer the answer.

use http::StatusCode;

use crate::problem::Problem;

/// The lines of the texts that are looked at.
pub(super) struct Commands<'a> {
    lines: Vec<&'a str>,
}

/// An answer that is not an answer.
pub(super) enum Order<'a> {
    Refuse(&'a str),
    Filter,
}

impl<'a> Commands<'a> {
    pub(super) fn of(texts: &'a [String]) -> Self {
        Self { lines: texts.iter().flat_map(|text| text.lines()).map(str::trim).collect() }
    }

    /// What follows `name` on the lines that start with it.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| line.strip_prefix(name)).map(str::trim)
    }

    /// `call:NAME {json}`: name and arguments, `{}` when there are none.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all("call:").map(|rest| {
            let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            (name, if arguments.trim().is_empty() { "{}" } else { arguments.trim() })
        })
    }

    /// `say:TEXT`: what comes before the calls.
    pub(super) fn say(&self) -> &'a str {
        self.all("say:").next().unwrap_or_default()
    }

    /// `refuse:WHY` and `filter:`.
    pub(super) fn order(&self) -> Option<Order<'a>> {
        let refuse = self.all("refuse:").next().map(Order::Refuse);
        refuse.or_else(|| self.all("filter:").next().map(|_| Order::Filter))
    }

    /// `redact:`: part of the reasoning is not for reading.
    pub(super) fn redacted(&self) -> bool {
        self.all("redact:").next().is_some()
    }

    /// `cache:N`: so many more input tokens, read from the cache.
    pub(super) fn cached(&self) -> u64 {
        self.all("cache:").filter_map(|n| n.parse().ok()).next().unwrap_or(0)
    }

    /// `error:STATUS`, with `retry-after:SECONDS` after it where wanted.
    pub(super) fn error(&self) -> Option<Problem> {
        self.all("error:").find_map(|rest| {
            let mut words = rest.split_whitespace();
            let code = words.next()?.parse().ok().filter(|code| (400..600).contains(code))?;
            let status = StatusCode::from_u16(code).ok()?;
            let retry_after = words.find_map(|word| word.strip_prefix("retry-after:")?.parse().ok());
            Some(Problem { retry_after, ..Problem::new(status, format!("error {code} as asked for")) })
        })
    }
}
