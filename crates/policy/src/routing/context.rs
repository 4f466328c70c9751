//! What routing knows of a request, and the circumstances of the decision.

use std::cell::OnceCell;

use domain::{Strictness, Timestamp};
use wire::{RequestFacts, Shape};

use crate::{auth::Caller, random, rules::Facts, time::Micros};

/// One request, as routing sees it.
pub struct RoutingContext<'a> {
    /// The client API, by its stable name.
    pub api: &'a str,
    /// What one scan of the body found.
    pub facts: &'a RequestFacts,
    /// Input tokens, estimated.
    pub input_tokens: u64,
    /// Tags of the client.
    pub tags: &'a [(String, String)],
    /// The end user.
    pub user: Option<&'a str>,
    /// The feature of the application.
    pub feature: Option<&'a str>,
    /// `x-portcullis-session`.
    pub session: Option<&'a str>,
    /// What `x-portcullis-translation` asks for.
    pub translation: Option<Strictness>,
    /// The proxy's region.
    pub region: Option<&'a str>,
    /// Reads the body whole; called at most once, and only where a route asks for what it finds.
    pub shape: &'a dyn Fn() -> Shape,
    /// What it found.
    pub seen: OnceCell<Shape>,
    /// The moment, on the process's own clock.
    pub now: Micros,
    /// The moment, by which prices and deprecations are chosen.
    pub at: Timestamp,
    /// An evenly drawn number.
    pub draw: u64,
    /// Whether every rule's verdict is wanted, not only the decisive one's.
    pub explain: bool,
}

impl RoutingContext<'_> {
    /// Tokens that the request may take, output included.
    pub(super) fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.facts.max_output.unwrap_or_default())
    }

    /// What only a whole reading of the body tells.
    pub(super) fn shape(&self) -> &Shape {
        self.seen.get_or_init(|| (self.shape)())
    }

    /// The facts that rules look at; those of a whole reading only where they are wanted.
    pub(super) fn for_rules<'a>(&'a self, caller: &'a Caller, whole: bool) -> Facts<'a> {
        let scanned = self.facts;
        let mut facts = Facts {
            api: self.api,
            model: &scanned.model,
            stream: scanned.stream,
            input_tokens: self.input_tokens,
            max_output_tokens: scanned.max_output.unwrap_or_default(),
            messages: u64::from(scanned.messages),
            images: u64::from(scanned.images),
            audio: u64::from(scanned.audio),
            files: u64::from(scanned.files),
            tags: self.tags,
            user: self.user.unwrap_or_default(),
            feature: self.feature.unwrap_or_default(),
            session: self.session.unwrap_or_default(),
            region: self.region.unwrap_or_default(),
            tenant_name: &caller.key.tenant.name,
            tenant_tier: caller.key.tenant.spec.tier.as_deref().unwrap_or_default(),
            key_name: &caller.key.name,
            ..Facts::default()
        };
        if whole {
            let shape = self.shape();
            facts.tools = u64::from(shape.tools);
            facts.json = shape.json;
            facts.structured = shape.schema.is_some();
            facts.reasoning_effort = shape.reasoning_effort.unwrap_or_default();
            facts.code_share = shape.code_share;
        }
        facts
    }

    /// One of many evenly drawn numbers, by its number.
    pub(super) const fn draw(&self, number: u64) -> u64 {
        random::nth(self.draw, number)
    }
}
