//! Message content as a list of blocks.

use serde_json::{Value, json};

/// Content as blocks, whichever way it is written.
pub(super) fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::Array(blocks) => blocks.clone(),
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        _ => Vec::new(),
    }
}
