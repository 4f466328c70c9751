//! Fields outside the canonical call.

use crate::{
    canonical::{Call, Extra, LossReport, Unsupported},
    dialect::Dialect,
    json::out::ObjectOut,
};

/// The fields outside the canonical call that go into the body.
pub(super) struct Extras<'c, 'a>(Vec<&'c Extra<'a>>);

impl<'c, 'a> Extras<'c, 'a> {
    /// They stay in their own dialect, where their place can be found again.
    pub(super) fn sort(call: &'c Call<'a>, losses: &mut LossReport) -> Result<Self, Unsupported> {
        let mut kept = Vec::new();
        for extra in &call.extra {
            if losses.client() == Dialect::Gemini && !extra.name.contains('[') {
                kept.push(extra);
            } else {
                losses.extra(extra)?;
            }
        }
        Ok(Self(kept))
    }

    pub(super) fn any(&self, prefix: &str) -> bool {
        self.0.iter().any(|extra| extra.name.starts_with(prefix))
    }

    /// Writes those that stand directly behind a prefix; without one, the body's own.
    pub(super) fn write(&self, prefix: Option<&str>, o: &mut ObjectOut<'_>) {
        for extra in &self.0 {
            let own = match prefix {
                Some(prefix) => extra.name.strip_prefix(prefix),
                None => Some(&*extra.name),
            };
            if let Some(name) = own.filter(|name| !name.contains('.')) {
                o.raw(name, extra.value);
            }
        }
    }
}
