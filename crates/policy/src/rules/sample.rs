//! Evaluates each part of a new condition on sample facts: types that do not fit show before a request meets them.

use cel::common::ast::{Expr, operators};
use cel::parser::Expression;

use super::error::{self, RuleError};
use super::facts::{Facts, Lookup, ReplyFacts, Subject};
use super::program::{Program, as_bool, evaluate, type_name};

/// A request that says everything there is to say; a request has no tag that a rule may count on.
pub(super) static REQUEST: Facts<'static> = Facts {
    api: "chat",
    model: "sample",
    stream: true,
    input_tokens: 100,
    max_output_tokens: 100,
    messages: 2,
    images: 1,
    audio: 1,
    files: 1,
    tools: 1,
    json: true,
    structured: true,
    reasoning_effort: "low",
    code_share: 0.5,
    tags: &[],
    user: "user",
    feature: "feature",
    session: "session",
    tenant_name: "tenant",
    tenant_tier: "tier",
    key_name: "key",
    region: "region",
};

/// An answer with everything there is to say.
pub(super) static REPLY: ReplyFacts<'static> = ReplyFacts {
    text: "{}",
    length: 2,
    json_valid: true,
    schema_valid: true,
    refusal: false,
    finish_reason: "stop",
    output_tokens: 1,
    tool_calls: 1,
    mean_logprob: Some(-0.5),
};

/// Refuses a program of which a part fails on any facts or is no truth value.
pub(super) fn check(program: &Program, subject: Subject<'_>) -> Result<(), RuleError> {
    part(&program.expression, &Lookup { subject, patterns: &program.patterns })
}

/// Operators of logic are taken apart, as evaluating the whole would stop at the first part that decides.
fn part(expression: &Expression, lookup: &Lookup<'_>) -> Result<(), RuleError> {
    if let Expr::Call(call) = &expression.expr {
        let logic =
            [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT, operators::CONDITIONAL];
        if logic.contains(&call.func_name.as_str()) {
            return call.args.iter().try_for_each(|argument| part(argument, lookup));
        }
    }
    match evaluate(expression, lookup, |value| as_bool(value).ok_or_else(|| type_name(value))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(found)) => Err(RuleError::NotBool { found }),
        Err(error) if error::depends_on_facts(&error) => Ok(()),
        Err(error) => Err(RuleError::Type(error::reason(&error))),
    }
}
