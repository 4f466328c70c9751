//! How long a condition takes in the worst case, from its form alone.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;
use domain::Attribution;

use super::error::RuleError;
use super::facts::MAX_TEXT;
use super::limits::MAX_STEPS;
use super::pattern::{self, Pattern};

/// Longest text of a fact other than `reply.text`, in bytes.
const MAX_NAME: u64 = Attribution::MAX_NAME as u64;
const MAX_TAGS: u64 = Attribution::MAX_TAGS as u64;
const TAGS: &str = "request.tags";
/// Most comprehensions inside each other.
const MAX_LOOPS: usize = 2;
/// Bytes that one step compares, searches or copies.
const BYTES_PER_STEP: u64 = 256;
/// Bytes that one step matches with a pattern.
const MATCHED_PER_STEP: u64 = 64;
/// And again for so many copies of places that a pattern makes by counting ([`Pattern::copies`]).
const COPIES_PER_STEP: u64 = 64;

/// The steps of an expression with bound names.
pub(super) fn steps(expression: &Expression, patterns: &[Pattern]) -> Result<u64, RuleError> {
    let (locals, loops) = (Vec::new(), 0);
    let steps = Scope { patterns, locals, loops }.node(expression)?.steps;
    if steps > MAX_STEPS { Err(RuleError::TooCostly { steps }) } else { Ok(steps) }
}

/// What evaluating takes at most, and how large the value is at most.
#[derive(Clone, Copy, Default)]
struct Bound {
    steps: u64,
    /// Text in the value, however deep.
    bytes: u64,
    /// Entries in the value, however deep.
    items: u64,
}

impl Bound {
    fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            bytes: self.bytes.saturating_add(other.bytes),
            items: self.items.saturating_add(other.items),
        }
    }

    fn step(self, steps: u64) -> Self {
        Self { steps: self.steps.saturating_add(steps), ..self }
    }

    /// The value alone.
    const fn value(self) -> Self {
        Self { steps: 0, ..self }
    }

    fn times(self, times: u64) -> Self {
        Self {
            steps: self.steps.saturating_mul(times),
            bytes: self.bytes.saturating_mul(times),
            items: self.items.saturating_mul(times),
        }
    }
}

struct Scope<'e> {
    patterns: &'e [Pattern],
    /// Variables of the comprehensions around, and how large they are.
    locals: Vec<(&'e str, Bound)>,
    loops: usize,
}

impl<'e> Scope<'e> {
    fn node(&mut self, node: &'e Expression) -> Result<Bound, RuleError> {
        let of = match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => text_of(text.inner().len()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let operand = self.node(&select.operand)?;
                entry(&select.operand, operand).step(operand.steps)
            }
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => self.all(&list.elements)?,
            Expr::Map(map) => {
                let mut whole = Bound::default();
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    whole = whole.and(self.all([&entry.key, &entry.value])?);
                }
                whole
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => Bound::default(),
        };
        Ok(of.step(1))
    }

    /// All of them, as the entries of one value.
    fn all(&mut self, nodes: impl IntoIterator<Item = &'e Expression>) -> Result<Bound, RuleError> {
        nodes.into_iter().try_fold(Bound::default(), |whole, node| {
            Ok(whole.and(self.node(node)?).and(Bound { items: 1, ..Bound::default() }))
        })
    }

    fn variable(&self, name: &str) -> Bound {
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        match (local, name) {
            (Some((_, bound)), _) => *bound,
            (None, "reply.text") => text_of(MAX_TEXT),
            // Its map is made anew wherever it is read.
            (None, TAGS) => Bound { steps: MAX_TAGS, bytes: MAX_TAGS * MAX_NAME, items: MAX_TAGS },
            (None, _) => Bound { bytes: MAX_NAME, ..Bound::default() },
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<Bound, RuleError> {
        let mut operands = Bound::default();
        for operand in call.target.as_deref().into_iter().chain(&call.args) {
            operands = operands.and(self.node(operand)?);
        }
        let pattern = call.args.iter().find_map(|node| match &node.expr {
            Expr::Ident(name) => pattern::find(self.patterns, name),
            _ => None,
        });
        let read = operands.items.saturating_add(match pattern {
            Some(pattern) => (operands.bytes / MATCHED_PER_STEP)
                .saturating_mul(pattern.copies().div_ceil(COPIES_PER_STEP).saturating_add(1)),
            None => operands.bytes / BYTES_PER_STEP,
        });
        let (value, read) = match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, _) => (operands.value(), 0),
            (operators::INDEX, [of, _]) => (entry(of, operands), 0),
            (operators::ADD | "string", _) => (operands.value(), read),
            _ => (Bound::default(), read),
        };
        Ok(value.step(operands.steps).step(read))
    }

    fn comprehension(&mut self, parts: &'e ComprehensionExpr) -> Result<Bound, RuleError> {
        if self.loops == MAX_LOOPS {
            return Err(RuleError::TooDeep);
        }
        let range = self.node(&parts.iter_range)?;
        let initial = self.node(&parts.accu_init)?;
        let outside = self.locals.len();
        self.loops += 1;
        let entry = entry(&parts.iter_range, range);
        self.locals.extend([(parts.iter_var.as_str(), entry), (parts.accu_var.as_str(), Bound::default())]);
        self.locals.extend(parts.iter_var2.as_deref().map(|name| (name, entry)));
        // What `map` and `filter` gather grows by this in each round; the second look is at what they have gathered.
        let growth = self.node(&parts.loop_step)?.value();
        self.locals.push((parts.accu_var.as_str(), growth.times(range.items).and(initial.value())));
        let round = self.node(&parts.loop_cond)?.and(self.node(&parts.loop_step)?);
        let result = self.node(&parts.result)?;
        self.locals.truncate(outside);
        self.loops -= 1;
        let rounds = round.times(range.items).steps;
        Ok(result.step(range.steps).step(initial.steps).step(rounds).step(range.bytes / BYTES_PER_STEP))
    }
}

/// The largest entry of a value: known of tags and of lists of literals, of others it may be all there is.
fn entry(node: &Expression, whole: Bound) -> Bound {
    match &node.expr {
        Expr::Ident(name) if name == TAGS => Bound { bytes: MAX_NAME, ..Bound::default() },
        Expr::List(list) if list.elements.iter().all(|element| matches!(element.expr, Expr::Literal(_))) => {
            Bound { items: 0, ..whole.value() }
        }
        _ => whole.value(),
    }
}

fn text_of(bytes: usize) -> Bound {
    Bound { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..Bound::default() }
}
