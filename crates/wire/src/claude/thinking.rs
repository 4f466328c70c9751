//! How Claude is told to think: `thinking` and effort (docs/spec/reasoning.md#asking-for-reasoning).

use super::content::Content;
use crate::{
    canonical::{
        Effort, Extra, Field, LossReport, Malformed, Reasoning, ReasoningMode, Show, Support, Unsupported,
    },
    dialect::Dialect,
    json::{Json, out::ObjectOut},
    read::{Members, Place},
};

/// Smallest budget of thoughts that Anthropic takes.
const MIN_BUDGET: u64 = 1_024;

/// How Claude is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    Enabled(u64),
    Adaptive,
    Disabled,
}

/// Thinking and effort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) thinking: Option<Thinking>,
    pub(crate) effort: Option<Effort>,
}

impl Plan {
    /// The plan without thoughts where the model cannot go on with them: what it thought before the tools ran did not
    /// come back, or was another's (docs/spec/cases.md#case-9). It would refuse the call; told not to think, it
    /// answers.
    fn that_continues(self, continues: bool, losses: &mut LossReport) -> Self {
        if continues || matches!(self.thinking, None | Some(Thinking::Disabled)) {
            return self;
        }
        losses.hint(Field::Reasoning.name_in(losses.client()));
        Self { thinking: None, ..self }
    }
}

/// What a plan depends on beside what the client asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThinkingContext {
    /// Models that take `temperature` are those from before effort, and want a budget; the others know no budget.
    pub(crate) sampling: Support,
    /// Most tokens of the answer, thoughts included.
    pub(crate) limit: u64,
    /// Whether the model can continue to think: see [`super::alternate::can_continue_thinking`].
    pub(crate) continues: bool,
}

/// Chooses Claude's words for what the client asked for.
pub(crate) fn plan(
    asked: &Reasoning,
    context: &ThinkingContext,
    losses: &mut LossReport,
) -> Result<Plan, Unsupported> {
    choose(asked, context, losses).map(|plan| plan.that_continues(context.continues, losses))
}

fn choose(
    asked: &Reasoning,
    context: &ThinkingContext,
    losses: &mut LossReport,
) -> Result<Plan, Unsupported> {
    let ThinkingContext { sampling, limit, .. } = *context;
    let thinks = |thinking| Plan { thinking: Some(thinking), effort: None };
    if asked.mode == Some(ReasoningMode::Off) || asked.effort == Some(Effort::None) || asked.budget == Some(0)
    {
        return Ok(thinks(Thinking::Disabled));
    }
    // In Claude's own dialects effort and thinking are two things; elsewhere effort is how thinking is asked for.
    let apart = matches!(losses.client(), Dialect::Anthropic | Dialect::Bedrock);
    if apart && asked.budget.is_none() {
        let thinking = asked.mode.map(|_| Thinking::Adaptive);
        return Ok(Plan { thinking, effort: asked.effort });
    }
    let budget = match (asked.budget, asked.effort, asked.mode) {
        (Some(budget), ..) if sampling != Support::Unsupported => budget,
        (Some(budget), ..) => {
            losses.hint(Field::Budget.name_in(losses.client()));
            let effort = Some(asked.effort.unwrap_or(Effort::from_budget(budget)));
            return Ok(Plan { thinking: Some(Thinking::Adaptive), effort });
        }
        (None, Some(effort), _) if sampling == Support::Supported => effort.budget(Some(limit)),
        (None, None, Some(ReasoningMode::On)) if sampling == Support::Supported => {
            Effort::Medium.budget(Some(limit))
        }
        (None, None, None) => return Ok(Plan::default()),
        (None, effort, _) => return Ok(Plan { thinking: Some(Thinking::Adaptive), effort }),
    };
    if limit <= MIN_BUDGET {
        // No budget fits below such a limit.
        losses.field(if asked.budget.is_some() { Field::Budget } else { Field::Effort })?;
        return Ok(Plan::default());
    }
    let fitting = budget.clamp(MIN_BUDGET, limit - 1);
    if asked.budget.is_some_and(|asked| asked != fitting) {
        losses.hint(Field::Budget.name_in(losses.client()));
    }
    let effort = asked.effort.filter(|_| apart);
    Ok(Plan { thinking: Some(Thinking::Enabled(fitting)), effort })
}

/// Writes the members of `thinking`, `display` apart.
pub(crate) fn write_thinking(thinking: Thinking, o: &mut ObjectOut<'_>) {
    match thinking {
        Thinking::Enabled(budget) => {
            o.text("type", "enabled");
            o.number("budget_tokens", budget);
        }
        Thinking::Adaptive => o.text("type", "adaptive"),
        Thinking::Disabled => o.text("type", "disabled"),
    }
}

/// Anthropic's word for how much of the thoughts is shown.
pub(crate) const fn display(show: Show) -> &'static str {
    match show {
        Show::Hidden => "omitted",
        Show::Auto | Show::Concise | Show::Detailed => "summarized",
    }
}

/// Anthropic's word for an effort; its lowest is `low`.
pub(crate) fn effort_name(effort: Effort) -> &'static str {
    effort.max(Effort::Low).name()
}

/// Reads `thinking`, which Bedrock passes through to Claude in the same words.
pub(crate) fn thinking<'a>(
    json: Json<'a>,
    content: &mut Content<'a, '_>,
    reasoning: &mut Reasoning,
) -> Result<(), Malformed> {
    let place = Place::ROOT.key("thinking");
    let mut thinking = Members::open(json, &place)?;
    match &*thinking.need_text("type")? {
        "enabled" => {
            reasoning.mode = Some(ReasoningMode::On);
            let budget = thinking.u64("budget_tokens")?;
            reasoning.budget = Some(budget.ok_or_else(|| thinking.missing("budget_tokens"))?);
        }
        "adaptive" => reasoning.mode = Some(ReasoningMode::Adaptive),
        "disabled" => reasoning.mode = Some(ReasoningMode::Off),
        _ => {
            content.extra.push(Extra { name: "thinking".into(), value: json });
            return Ok(());
        }
    }
    reasoning.show = match thinking.text("display")?.as_deref() {
        None => None,
        Some("omitted") => Some(Show::Hidden),
        Some("summarized") => Some(Show::Auto),
        Some(_) => return Err(place.key("display").malformed("must be `summarized` or `omitted`")),
    };
    content.keep(thinking);
    Ok(())
}
