//! The verbs of the catalogue.

use std::io::Write;

use admin_api::CatalogueReply;
use serde_json::{Map, Value};

use crate::{
    CatalogueCommand, CliError, Output,
    client::{Client, encode},
    local, render,
};

/// What a table shows of a price; the rest is for `show`.
const RATES: [&str; 3] = ["input", "cached_input", "output"];
/// What models are billed by that are not billed by token.
const PIECES: [&str; 5] = ["search_unit", "image", "page", "audio_second", "characters"];

pub(super) fn run(command: CatalogueCommand, out: &mut impl Write) -> Result<(), CliError> {
    match command {
        CatalogueCommand::Import { file, connection } => {
            let catalogue = local::read_catalogue(&file)?;
            let body =
                serde_json::to_value(&catalogue).map_err(|error| CliError::Config(error.to_string()))?;
            let answer = Client::new(&connection)?.post("/catalogue", Some(&body))?;
            let reply: CatalogueReply = serde_json::from_value(answer)
                .map_err(|error| CliError::Failed(format!("unexpected answer: {error}")))?;
            let CatalogueReply { catalogue, version, models, prices } = reply;
            writeln!(out, "catalogue {catalogue}: {models} models and {prices} prices changed")?;
            writeln!(out, "configuration revision {}", version.revision)?;
            Ok(())
        }
        CatalogueCommand::List { kind, output, connection } => {
            let client = Client::new(&connection)?;
            let mut rows = client.pages("catalogue", &[("kind", kind.as_deref())])?;
            if output == Output::Table {
                rows = rows.iter().map(line).collect();
            }
            Ok(render::rows(out, rows, output)?)
        }
        CatalogueCommand::Show { model, output, connection } => {
            let path = format!("/catalogue/{}", encode(&model));
            Ok(render::item(out, &Client::new(&connection)?.get(&path)?, output)?)
        }
    }
}

/// The columns of a model; a model without a known price says so.
fn line(item: &Value) -> Value {
    let mut line = Map::new();
    line.insert("model".to_owned(), item["model"].clone());
    for name in ["task", "context", "max_output", "deprecation"] {
        line.insert(name.to_owned(), item["facts"][name].clone());
    }
    let price = &item["price"];
    let by_piece = PIECES.iter().any(|piece| !price[*piece].is_null());
    for name in RATES {
        let rate = match &price[name] {
            _ if price.is_null() => Value::from("unknown"),
            Value::String(zero) if zero == "0" && by_piece => Value::Null,
            rate => rate.clone(),
        };
        line.insert(name.to_owned(), rate);
    }
    for name in PIECES {
        line.insert(name.to_owned(), price[name].clone());
    }
    Value::Object(line)
}
