//! What derived JSON Schemas do not say by themselves.

use schemars::Schema;

/// Forms that exclude each other: serde takes the first that fits, so the derived schema says `anyOf`, and editors
/// then complain about all of them at once.
pub(crate) fn one_of(mut schema: Schema) -> Schema {
    if let Some(forms) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), forms);
    }
    schema
}
