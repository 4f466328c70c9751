//! The provider table: a compatible vendor is one row, and nothing else in the gateway names a vendor.

/// How a provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// No key at all.
    None,
}

/// What is odd about a provider that speaks somebody else's dialect (DIALECTS §6); all false: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Knows `max_tokens` and not `max_completion_tokens`.
    pub old_limit_name: bool,
}

impl Quirks {
    /// Nothing odd.
    pub const NONE: Self = Self { old_limit_name: false };
}

/// What the gateway knows of one kind of provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderRow {
    /// The word users write in `kind`.
    pub kind: &'static str,
    /// Where it is, version path included, no slash at the end; `None`: the resource must say.
    pub base_url: Option<&'static str>,
    /// How it wants its key.
    pub auth: Auth,
    /// The value of `gen_ai.provider.name` in telemetry.
    pub genai_name: &'static str,
}

static ROWS: [ProviderRow; 3] = [
    ProviderRow {
        kind: "openai",
        base_url: Some("https://api.openai.com/v1"),
        auth: Auth::Bearer,
        genai_name: "openai",
    },
    ProviderRow { kind: "custom", base_url: None, auth: Auth::Bearer, genai_name: "custom" },
    ProviderRow { kind: "simulator", base_url: None, auth: Auth::Bearer, genai_name: "simulator" },
];

/// The row of a kind; `None`: nobody knows such a provider.
#[must_use]
pub fn provider_row(kind: &str) -> Option<&'static ProviderRow> {
    ROWS.iter().find(|row| row.kind == kind)
}

/// Every kind, in the table's order.
pub fn provider_kinds() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.kind)
}
