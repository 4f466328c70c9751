//! The admin API on a real socket with a real SQLite store.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "rest/catalogue.rs"]
mod catalogue;
#[path = "rest/documents.rs"]
mod documents;
#[path = "rest/edges.rs"]
mod edges;
#[path = "rest/explain.rs"]
mod explain;
#[path = "rest/fixture.rs"]
mod fixture;
#[path = "rest/items.rs"]
mod items;
#[path = "rest/reports.rs"]
mod reports;
#[path = "rest/routing.rs"]
mod routing;
