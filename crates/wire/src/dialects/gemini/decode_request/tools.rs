//! Reading tools and how they are chosen.

use crate::{
    canonical::{Call, Extra, Malformed, Tool, ToolChoice, ToolMode},
    json::Json,
    read::{Members, Place},
};

/// Reads `tools`: functions, and what Google runs by itself.
pub(super) fn tools<'a>(tools: Vec<Json<'a>>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let list = Place::ROOT.key("tools");
    for (at, tool) in tools.into_iter().enumerate() {
        let place = list.index(at);
        let mut tool = super::super::common::open(tool, &place)?;
        let declarations = place.key("functionDeclarations");
        for (at, declaration) in tool.array("functionDeclarations")?.into_iter().enumerate() {
            function(declaration, &declarations.index(at), call)?;
        }
        call.tools.extend(tool.rest().map(|(name, value)| Tool {
            name,
            description: None,
            schema: None,
            strict: None,
            cache: None,
            foreign: Some(value),
        }));
    }
    Ok(())
}

fn function<'a>(json: Json<'a>, place: &Place<'_>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let mut function = super::super::common::open(json, place)?;
    let schema = function.object("parametersJsonSchema")?;
    call.tools.push(Tool {
        name: function.need_text("name")?,
        description: function.text("description")?,
        schema: schema.or(function.object("parameters")?),
        strict: None,
        cache: None,
        foreign: None,
    });
    keep(function, call);
    Ok(())
}

/// Reads `toolConfig`.
pub(super) fn choice<'a>(json: Json<'a>, call: &mut Call<'a>) -> Result<(), Malformed> {
    let place = Place::ROOT.key("toolConfig");
    let mut config = super::super::common::open(json, &place)?;
    let calling = config.raw("functionCallingConfig");
    keep(config, call);
    let Some(calling) = calling else { return Ok(()) };
    let place = place.key("functionCallingConfig");
    let mut calling = super::super::common::open(calling, &place)?;
    let mut allowed = calling.texts("allowedFunctionNames")?;
    let mode = match calling.text("mode")?.as_deref() {
        None | Some("AUTO" | "MODE_UNSPECIFIED") => ToolMode::Auto,
        Some("NONE") => ToolMode::None,
        Some("ANY") if allowed.len() == 1 => ToolMode::Named(allowed.remove(0)),
        Some("ANY") => ToolMode::Required,
        Some("VALIDATED") => {
            call.tools
                .iter_mut()
                .filter(|tool| tool.foreign.is_none())
                .for_each(|tool| tool.strict = Some(true));
            ToolMode::Auto
        }
        Some(_) => return Err(place.key("mode").malformed("must be AUTO, ANY, NONE or VALIDATED")),
    };
    call.tool_choice = Some(ToolChoice { mode, allowed });
    keep(calling, call);
    Ok(())
}

/// Keeps the members that were not read: other dialects cannot place them.
pub(super) fn keep<'a>(members: Members<'a, '_>, call: &mut Call<'a>) {
    let place = *members.place;
    for (name, value) in members.rest() {
        call.extra.push(Extra { name: place.key(&name).to_string().into(), value });
    }
}
