//! One operation of the API: where it is, what it takes, what it answers, what OpenAPI says of it, and its handler.

use std::{pin::Pin, sync::Arc};

use admin_api::{Direction, item_schema};
use axum::{response::Response, routing::MethodFilter};
use domain::Kind;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{
    error::ApiError,
    request::{AdminRequest, Param},
    state::AdminState,
};

/// What a handler answers with.
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send + 'a>>;

/// Runs an operation.
pub(super) type Handler = Arc<dyn for<'a> Fn(&'a AdminState, &'a AdminRequest) -> Answer<'a> + Send + Sync>;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// As OpenAPI writes it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// There is no body.
    Empty,
    /// Any JSON object.
    Object,
    /// What a type serialises to; made by [`Shape::of`].
    Type(fn(&mut SchemaGenerator) -> Value),
    /// A resource of a kind.
    Item(Kind, Direction),
    /// A page of resources of a kind.
    Items(Kind),
}

impl Shape {
    /// What `T` serialises to.
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self::Type(|generator| generator.subschema_for::<T>().to_value())
    }

    /// Its schema; named types become components of the document.
    pub(super) fn schema(self, generator: &mut SchemaGenerator) -> Value {
        match self {
            Self::Empty | Self::Object => json!({ "type": "object" }),
            Self::Type(schema) => schema(generator),
            Self::Item(kind, direction) => item(kind, direction, generator),
            Self::Items(kind) => page(&item(kind, Direction::Read, generator)),
        }
    }
}

/// A resource's schema, once among the components and then by reference.
fn item(kind: Kind, direction: Direction, generator: &mut SchemaGenerator) -> Value {
    let name = format!("{kind}_{}", format!("{direction:?}").to_ascii_lowercase());
    if !generator.definitions().contains_key(&name) {
        let schema = item_schema(kind, direction, generator).to_value();
        generator.definitions_mut().insert(name.clone(), schema);
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn page(item: &Value) -> Value {
    json!({
        "type": "object",
        "properties": { "items": { "type": "array", "items": item }, "next": { "type": "string" } },
        "required": ["items"],
    })
}

/// One operation.
pub(super) struct Operation {
    pub(super) method: Method,
    /// As the router writes it: `{*name}` takes slashes.
    pub(super) route: String,
    /// What it does, for the OpenAPI document.
    pub(super) summary: String,
    /// The query parameters it takes; others are refused.
    pub(super) query: &'static [Param],
    /// What its body is.
    pub(super) request: Shape,
    /// The HTTP status of success.
    pub(super) status: u16,
    /// What it answers on success.
    pub(super) reply: Shape,
    pub(super) handler: Handler,
}

impl Operation {
    /// An operation at `/api/v1/{path}` without parameters and bodies, which answers 200.
    pub(super) fn new(
        method: Method,
        path: &str,
        summary: impl Into<String>,
        handler: impl for<'a> Fn(&'a AdminState, &'a AdminRequest) -> Answer<'a> + Send + Sync + 'static,
    ) -> Self {
        Self {
            method,
            route: format!("/api/v1/{path}"),
            summary: summary.into(),
            query: &[],
            request: Shape::Empty,
            status: 200,
            reply: Shape::Empty,
            handler: Arc::new(handler),
        }
    }

    /// It takes these query parameters.
    pub(super) fn query(self, query: &'static [Param]) -> Self {
        Self { query, ..self }
    }

    /// It takes this body.
    pub(super) fn request(self, request: Shape) -> Self {
        Self { request, ..self }
    }

    /// It answers with this body.
    pub(super) fn reply(self, reply: Shape) -> Self {
        Self { reply, ..self }
    }

    /// It answers with this HTTP status.
    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The path as OpenAPI writes it.
    pub(super) fn path(&self) -> String {
        self.route.replace("{*name}", "{name}")
    }
}

/// The path of one resource of a kind: names that may hold slashes take the rest of the path.
pub(super) fn resource_path(kind: Kind) -> String {
    let name = match kind {
        Kind::Credential | Kind::Model | Kind::Price => "{*name}",
        Kind::Tenant | Kind::Key | Kind::Provider | Kind::Route | Kind::Limit | Kind::Budget => "{name}",
    };
    format!("{}/{name}", kind.plural())
}
