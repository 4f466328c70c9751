//! The table of operations: what is routed, which parameters are taken, and what OpenAPI says of it.

use admin_api::Direction;
use axum::routing::MethodFilter;
use domain::Kind;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    List(Kind),
    Create(Kind),
    Get(Kind),
    Replace(Kind),
    Patch(Kind),
    Delete(Kind),
    Rotate,
    Apply,
    Export,
    Usage,
    Requests,
    Catalogue,
    CatalogueModel,
    ImportCatalogue,
    Explain,
    Audit,
    Proxies,
    TargetsHealth,
    OpenApi,
}

/// An HTTP method of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    PutOutcome,
    Patch,
    Delete,
}

impl Method {
    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::PutOutcome => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// As OpenAPI writes it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::PutOutcome => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// A query parameter.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Nothing,
    Item(Kind, Direction),
    Items(Kind),
    Document,
    Applied,
    Usage,
    Requests,
    Catalogue,
    CatalogueModel,
    CatalogueFile,
    CatalogueImported,
    Question,
    Explained,
    Audit,
    Proxies,
    TargetsHealth,
    OpenApi,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// As the router writes it: `{*name}` takes slashes.
    pub(super) route: String,
    pub(super) summary: String,
    pub(super) query: &'static [Param],
    pub(super) request: Shape,
    pub(super) status: u16,
    pub(super) reply: Shape,
    pub(super) action: Action,
}

impl Operation {
    fn bare(method: Method, path: &str, summary: &str, action: Action) -> Self {
        let (route, summary) = (format!("/api/v1/{path}"), summary.to_owned());
        let (request, reply) = (Shape::Nothing, Shape::Nothing);
        Self { method, route, summary, query: &[], request, status: 200, reply, action }
    }

    fn with(self, query: &'static [Param], request: Shape, reply: Shape) -> Self {
        Self { query, request, reply, ..self }
    }

    fn giving(self, query: &'static [Param], reply: Shape) -> Self {
        self.with(query, Shape::Nothing, reply)
    }

    /// The path as OpenAPI writes it.
    pub(super) fn path(&self) -> String {
        self.route.replace("{*name}", "{name}")
    }
}

const fn param(name: &'static str, description: &'static str) -> Param {
    Param { name, description }
}

const LIMIT: Param = param("limit", "How many entries, 1 to 500; 100 when it is not given.");
const CURSOR: Param = param("cursor", "`next` of the page before.");
const OWNER: Param =
    param("tenant", "The owner, by name or id; not given: the operator. Keys always have one.");
const OF_TENANT: Param =
    param("tenant", "Only of this tenant, by name or id; `operator`: what the gateway asked itself.");

const LIST: &[Param] =
    &[LIMIT, CURSOR, param("tenant", "Only this tenant's own; empty: the operator's own; not given: all.")];
const ITEM: &[Param] = &[OWNER];
const DELETE: &[Param] = &[
    OWNER,
    param(
        "cascade",
        "`true` deletes what belongs to it, too: all of a tenant's; a provider's credentials, models, prices.",
    ),
];
const ROTATE: &[Param] =
    &[OWNER, param("grace", "How long the old secret works, `0s` to `30d`; 24h when it is not given.")];
const APPLY: &[Param] = &[
    param("dry_run", "`true` answers what would change, and changes nothing."),
    param("prune", "`true` deletes what the document does not mention."),
];
const USAGE: &[Param] = &[
    param("group_by", "Any of tenant, key, user, feature, model, provider, route, day, hour, with commas."),
    param("from", "From the hour of this moment on."),
    param("to", "Before this moment, rounded up to the hour."),
    OF_TENANT,
];
const REQUESTS: &[Param] = &[LIMIT, CURSOR, OF_TENANT, param("request_id", "This request only.")];
const CATALOGUE: &[Param] =
    &[LIMIT, CURSOR, param("kind", "Only of this kind of provider, such as `openai`.")];
const AUDIT: &[Param] = &[LIMIT, CURSOR];

/// The whole table.
pub(super) fn operations() -> Vec<Operation> {
    let rotated = Shape::Item(Kind::Key, Direction::Read);
    let mut table: Vec<Operation> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    table.extend([
        post("keys/{name}/rotate", "Give a key a new secret, shown once", Action::Rotate).with(
            ROTATE,
            Shape::Nothing,
            rotated,
        ),
        post("apply", "Apply a document, atomically", Action::Apply).with(
            APPLY,
            Shape::Document,
            Shape::Applied,
        ),
        get("export", "The configuration as a document, without secrets", Action::Export)
            .giving(&[], Shape::Document),
        get("usage", "Sums of usage and cost", Action::Usage).giving(USAGE, Shape::Usage),
        get("requests", "The request log, newest first", Action::Requests).giving(REQUESTS, Shape::Requests),
        get("catalogue", "What is known of models by kind of provider", Action::Catalogue)
            .giving(CATALOGUE, Shape::Catalogue),
        get("catalogue/{*name}", "One model of the catalogue", Action::CatalogueModel)
            .giving(&[], Shape::CatalogueModel),
        post("catalogue", "Import a catalogue file", Action::ImportCatalogue).with(
            &[],
            Shape::CatalogueFile,
            Shape::CatalogueImported,
        ),
        post("explain", "What would become of a request, and why; nothing is sent", Action::Explain).with(
            &[],
            Shape::Question,
            Shape::Explained,
        ),
        get("audit", "The audit log, newest first", Action::Audit).giving(AUDIT, Shape::Audit),
        get("proxies", "Connected proxies and what they serve", Action::Proxies).giving(&[], Shape::Proxies),
        get("health/targets", "What the connected proxies see of targets and keys", Action::TargetsHealth)
            .giving(&[], Shape::TargetsHealth),
        get("openapi.json", "This document", Action::OpenApi).giving(&[], Shape::OpenApi),
    ]);
    table
}

fn get(path: &str, summary: &str, action: Action) -> Operation {
    Operation::bare(Method::Get, path, summary, action)
}

fn post(path: &str, summary: &str, action: Action) -> Operation {
    Operation::bare(Method::Post, path, summary, action)
}

fn of_kind(kind: Kind) -> [Operation; 6] {
    let name = match kind {
        Kind::Credential | Kind::Model | Kind::Price => "{*name}",
        Kind::Tenant | Kind::Key | Kind::Provider | Kind::Route | Kind::Limit => "{name}",
    };
    let all = kind.plural();
    let one = format!("{all}/{name}");
    let read = Shape::Item(kind, Direction::Read);
    let (write, patch) = (Shape::Item(kind, Direction::Write), Shape::Item(kind, Direction::Patch));
    let change =
        |method, verb: &str, action| Operation::bare(method, &one, &format!("{verb} a {kind}"), action);
    let created = post(all, &format!("Create a {kind}"), Action::Create(kind)).with(ITEM, write, read);
    let deleted = change(Method::Delete, "Delete", Action::Delete(kind)).giving(DELETE, Shape::Nothing);
    [
        get(all, &format!("List {all}"), Action::List(kind)).giving(LIST, Shape::Items(kind)),
        Operation { status: 201, ..created },
        get(&one, &format!("Get a {kind}"), Action::Get(kind)).giving(ITEM, read),
        change(Method::PutOutcome, "Replace", Action::Replace(kind)).with(ITEM, write, read),
        change(Method::Patch, "Change some fields of", Action::Patch(kind)).with(ITEM, patch, read),
        Operation { status: 204, ..deleted },
    ]
}
