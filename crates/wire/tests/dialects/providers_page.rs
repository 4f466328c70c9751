//! `docs/providers.md` lists exactly the rows of the provider table.

use std::{fmt::Write as _, fs, path::Path};

use wire::{Addressing, Auth, BasePath, ProviderRow, provider_kinds, provider_row};

/// The page's table, as it has to be.
fn table() -> String {
    let mut table = "| `kind` | base URL | key | dialects |\n|---|---|---|---|\n".to_owned();
    for row in provider_kinds().filter_map(provider_row) {
        let base_url = row.base_url.map_or("*required*".to_owned(), |url| format!("`{url}`"));
        let _ = writeln!(table, "| `{}` | {base_url} | {} | {} |", row.kind, key(row), dialects(row));
    }
    table
}

fn key(row: &ProviderRow) -> String {
    if let Some(why) = row.retired {
        return why.to_owned();
    }
    match row.auth {
        Auth::Bearer => "bearer".to_owned(),
        Auth::Header(name) => format!("`{name}`"),
        Auth::Optional => "bearer, or none".to_owned(),
        Auth::Aws => "AWS".to_owned(),
        Auth::Google => "Google".to_owned(),
    }
}

fn dialects(row: &ProviderRow) -> String {
    let names = row.speaks.iter().map(|speaks| match speaks.root {
        BasePath::Base => speaks.dialect.name().to_owned(),
        BasePath::Instead("") => format!("{} (at `/`)", speaks.dialect.name()),
        BasePath::Instead(path) => format!("{} (at `{path}`)", speaks.dialect.name()),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match row.addressing {
        Addressing::Standard => names,
        Addressing::AzureDeployments { api_version } => format!("{names}; deployments, `{api_version}`"),
        Addressing::Vertex => format!("{names}; by the model's name"),
    }
}

#[test]
fn the_page_lists_the_rows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = fs::read_to_string(page).unwrap();
    let expected = table();
    assert!(page.contains(&expected), "docs/providers.md must hold this table:\n\n{expected}");
}
