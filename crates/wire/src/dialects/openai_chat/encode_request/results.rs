//! Writing results of tools, which hold text only: what else they hold is shown behind them
//! (docs/spec/cases.md#case-13).

use super::messages::{Writer, document_text};
use crate::{
    canonical::{Content, Part, PartKind, ToolResult, Turn, Unsupported, content::content_place},
    json::out::{ArrayOut, ObjectOut},
};

impl Writer<'_> {
    /// Writes the results of a turn; `shown` gets what has to be shown behind all results.
    pub(super) fn results<'t, 'a>(
        &mut self,
        turn: &'t Turn<'a>,
        shown: &mut Vec<&'t Part<'a>>,
        a: &mut ArrayOut<'_>,
    ) -> Result<(), Unsupported> {
        for part in &turn.parts {
            match &part.kind {
                PartKind::ToolResult(result) => self.result(result, shown, a)?,
                _ => self.lose(part)?,
            }
        }
        Ok(())
    }

    fn result<'t, 'a>(
        &mut self,
        result: &'t ToolResult<'a>,
        shown: &mut Vec<&'t Part<'a>>,
        a: &mut ArrayOut<'_>,
    ) -> Result<(), Unsupported> {
        let id = self.ids.result(result);
        let id = self.nine(id);
        if result.error {
            self.losses.hint(content_place(self.losses.client(), Content::ErrorMark));
        }
        let mut texts: Vec<String> = Vec::new();
        if let Some(structured) = result.structured {
            texts.push(structured.raw().to_owned());
        }
        for part in &result.content {
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => texts.push(text.to_string()),
                PartKind::Document(document) if document_text(document).is_some() => {
                    texts.extend(document_text(document).map(String::from));
                }
                _ if self.expressible(part) => {
                    shown.push(part);
                    texts.push(format!("see {} {}", Content::of(part).words(), shown.len()));
                    self.losses.hint(content_place(self.losses.client(), Content::ResultMedia));
                }
                _ => self.lose(part)?,
            }
        }
        a.object(|o| {
            o.text("role", "tool");
            o.text("tool_call_id", &id);
            self.texts(&texts, o);
        });
        Ok(())
    }

    fn texts(&self, texts: &[String], o: &mut ObjectOut<'_>) {
        match texts {
            [] => o.text("content", ""),
            [only] => o.text("content", only),
            _ if self.quirks.string_content => o.text("content", &texts.join("\n")),
            _ => o.array("content", |a| {
                for text in texts {
                    a.object(|o| {
                        o.text("type", "text");
                        o.text("text", text);
                    });
                }
            }),
        }
    }

    /// Writes a user's message with what the results only name.
    pub(super) fn show(&mut self, shown: &[&Part<'_>], a: &mut ArrayOut<'_>) -> Result<(), Unsupported> {
        a.object(|o| {
            o.text("role", "user");
            o.array("content", |a| {
                for (at, part) in shown.iter().enumerate() {
                    a.object(|o| {
                        o.text("type", "text");
                        o.text("text", &format!("{} {}:", Content::of(part).words(), at + 1));
                    });
                    self.part(part, a);
                }
            });
        });
        Ok(())
    }
}
