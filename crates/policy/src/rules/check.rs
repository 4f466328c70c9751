//! Binds the names of a parsed condition: facts become variables that are looked up by their full name, all else is refused.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::common::types::CelBool;
use cel::parser::Expression;

use super::error::RuleError;
use super::facts::{Fact, HAS_LOGPROB, MEAN_LOGPROB};
use super::functions::FUNCTIONS;
use super::pattern::{self, Pattern};

/// Deepest expression. Evaluating it recurses, by 40 kB of stack a level where nothing is optimised, and a worker has 2 MiB.
/// Twice what conditions that people write come to: operators of logic in a row are balanced.
const MAX_DEPTH: usize = 16;

/// Operators, the two of which macros are made included.
const OPERATORS: &[&str] = &[
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
];

/// Binds names; returns the patterns of `matches` and the facts it reads.
pub(super) fn check(
    expression: &mut Expression,
    facts: &'static [Fact],
) -> Result<(Vec<Pattern>, BTreeSet<&'static str>), RuleError> {
    let mut check = Check { facts, ..Check::default() };
    check.node(expression)?;
    Ok((check.patterns, check.reads))
}

#[derive(Default)]
struct Check {
    facts: &'static [Fact],
    /// Variables of the comprehensions around.
    locals: Vec<String>,
    depth: usize,
    patterns: Vec<Pattern>,
    reads: BTreeSet<&'static str>,
}

impl Check {
    fn node(&mut self, node: &mut Expression) -> Result<(), RuleError> {
        if self.depth == MAX_DEPTH {
            return Err(RuleError::TooDeep);
        }
        self.depth += 1;
        match &mut node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => {
                return Err(RuleError::Unsupported("there are no bytes here"));
            }
            Expr::Literal(_) => {}
            Expr::Ident(name) if self.locals.contains(name) => {}
            Expr::Ident(name) => return Err(self.no_value(name)),
            Expr::Select(_) => self.select(node)?,
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.node(element))?,
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| self.entry(&mut entry.expr))?,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::Struct(_) | Expr::Unspecified => {
                return Err(RuleError::Unsupported("there are no messages here, only facts"));
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn entry(&mut self, entry: &mut EntryExpr) -> Result<(), RuleError> {
        match entry {
            EntryExpr::MapEntry(entry) => {
                self.node(&mut entry.key)?;
                self.node(&mut entry.value)
            }
            EntryExpr::StructField(_) => {
                Err(RuleError::Unsupported("there are no messages here, only facts"))
            }
        }
    }

    /// `request.model` becomes the variable of that name, `has(request.model)` what it always is.
    fn select(&mut self, node: &mut Expression) -> Result<(), RuleError> {
        let Expr::Select(select) = &mut node.expr else { return Ok(()) };
        let fact = match &select.operand.expr {
            Expr::Ident(group) if !self.locals.contains(group) => self.fact(group, &select.field)?,
            _ => return self.node(&mut select.operand),
        };
        self.reads.insert(fact);
        node.expr = match (select.test, fact) {
            (false, fact) => Expr::Ident(fact.to_owned()),
            (true, MEAN_LOGPROB) => Expr::Ident(HAS_LOGPROB.to_owned()),
            (true, _) => Expr::Literal(LiteralValue::Boolean(CelBool::from(true))),
        };
        Ok(())
    }

    fn fact(&self, group: &str, field: &str) -> Result<&'static str, RuleError> {
        let of_name = |fact: &&Fact| {
            fact.name.split_once('.').is_some_and(|(left, right)| left == group && right == field)
        };
        match self.facts.iter().find(of_name) {
            Some(fact) => Ok(fact.name),
            None if group == "budget" => Err(RuleError::NoBudgets),
            None if self.of_group(group).is_empty() => Err(self.no_value(group)),
            None => Err(RuleError::UnknownName {
                name: format!("{group}.{field}"),
                known: self.of_group(group).join(", "),
            }),
        }
    }

    fn of_group(&self, group: &str) -> Vec<&'static str> {
        let of = |name: &&str| name.split_once('.').is_some_and(|(left, _)| left == group);
        self.facts.iter().map(|fact| fact.name).filter(of).collect()
    }

    /// A name that stands alone though it is no variable.
    fn no_value(&self, name: &str) -> RuleError {
        let of_group = self.of_group(name);
        if name == "budget" {
            RuleError::NoBudgets
        } else if of_group.is_empty() {
            let known: Vec<_> = self.facts.iter().map(|fact| fact.name).collect();
            RuleError::UnknownName { name: name.to_owned(), known: known.join(", ") }
        } else {
            RuleError::NotAValue { name: name.to_owned(), known: of_group.join(", ") }
        }
    }

    fn call(&mut self, call: &mut CallExpr) -> Result<(), RuleError> {
        let operator = call.target.is_none() && OPERATORS.contains(&call.func_name.as_str());
        if !operator {
            let Some(function) = FUNCTIONS.iter().find(|function| function.name == call.func_name) else {
                let known: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
                return Err(RuleError::UnknownFunction {
                    name: call.func_name.clone(),
                    known: known.join(", "),
                });
            };
            let arguments = if call.target.is_some() { function.member } else { function.global };
            if arguments != Some(call.args.len()) {
                return Err(RuleError::WrongCall { name: function.name, form: function.form });
            }
            if function.name == "matches" {
                self.matches(call)?;
            }
        }
        if let Some(target) = &mut call.target {
            self.node(target)?;
        }
        // What `matches` left is bound already.
        call.args
            .iter_mut()
            .filter(|argument| !is_pattern(argument))
            .try_for_each(|argument| self.node(argument))
    }

    /// `text.matches('a+')` becomes `text in PATTERN`, a variable that holds the compiled pattern.
    fn matches(&mut self, call: &mut CallExpr) -> Result<(), RuleError> {
        let target = call.target.take().map(|target| *target);
        let mut operands: Vec<_> = target.into_iter().chain(call.args.drain(..)).collect();
        let Some(Expr::Literal(LiteralValue::String(source))) = operands.last().map(|last| &last.expr) else {
            return Err(RuleError::Pattern("must be a literal".to_owned()));
        };
        self.patterns.push(Pattern::new(source.inner())?);
        if let Some(last) = operands.last_mut() {
            last.expr = Expr::Ident(pattern::variable(self.patterns.len() - 1));
        }
        operators::IN.clone_into(&mut call.func_name);
        call.args = operands;
        Ok(())
    }

    fn comprehension(&mut self, parts: &mut ComprehensionExpr) -> Result<(), RuleError> {
        self.node(&mut parts.iter_range)?;
        self.node(&mut parts.accu_init)?;
        let variables = [Some(&parts.iter_var), parts.iter_var2.as_ref(), Some(&parts.accu_var)];
        let variables: Vec<_> = variables.into_iter().flatten().cloned().collect();
        if let Some(name) = variables.iter().find(|name| !self.of_group(name).is_empty()) {
            return Err(RuleError::Shadows { name: name.clone() });
        }
        let outside = self.locals.len();
        self.locals.extend(variables);
        self.node(&mut parts.loop_cond)?;
        self.node(&mut parts.loop_step)?;
        self.node(&mut parts.result)?;
        self.locals.truncate(outside);
        Ok(())
    }
}

fn is_pattern(node: &Expression) -> bool {
    matches!(&node.expr, Expr::Ident(name) if pattern::is_variable(name))
}
