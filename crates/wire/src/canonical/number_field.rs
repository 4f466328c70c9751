//! A number that some targets take and others do not.

use super::{Field, LossReport, Unsupported};
use crate::json::{Json, out::ObjectOut};

/// A numeric field as a target names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberField {
    pub(crate) field: Field,
    /// The target's name for it.
    pub(crate) key: &'static str,
    /// What the target does without it: a client that asks for just this loses nothing.
    pub(crate) default: f64,
}

impl NumberField {
    /// Writes the number where the target takes it; else the loss is reported.
    pub(crate) fn write(
        self,
        value: Option<Json<'_>>,
        taken: bool,
        losses: &mut LossReport,
        o: &mut ObjectOut<'_>,
    ) -> Result<(), Unsupported> {
        match value {
            Some(value) if taken => o.raw(self.key, value),
            Some(value) if value.f64() == Some(self.default) => {
                losses.note(self.field.name_in(losses.client()));
            }
            Some(_) => losses.field(self.field)?,
            None => {}
        }
        Ok(())
    }
}
