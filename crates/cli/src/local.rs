//! Reading a document where its author is: the file or standard input, and the secrets it names.

use std::{
    io::{self, Read},
    path::Path,
};

use admin_api::{Desired, Document, FieldError, Format, Invalid, MAX_DOCUMENT_BYTES};
use domain::{Catalogue, Spec};
use serde_json::Value;

use crate::CliError;

/// The largest file that is read as a secret.
const MAX_SECRET_BYTES: usize = 64 << 10;

/// Reads and checks a document, secrets still by reference.
pub(crate) fn read(path: &Path) -> Result<Document, CliError> {
    read_with(path, "--filename", Document::read)
}

/// Reads and checks a catalogue file.
pub(crate) fn read_catalogue(path: &Path) -> Result<Catalogue, CliError> {
    read_with(path, "FILE", admin_api::read_catalogue)
}

/// Reads a client's body, as it is.
pub(crate) fn read_body(path: &Path) -> Result<Value, CliError> {
    read_with(path, "--body", admin_api::parse)
}

fn read_with<T>(
    path: &Path,
    flag: &str,
    read: impl FnOnce(&str, Format) -> Result<T, Invalid>,
) -> Result<T, CliError> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let text = read_text(path).map_err(|error| CliError::Config(format!("{flag}: {shown}: {error}")))?;
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ => Format::sniff(&text),
    };
    read(&text, format).map_err(|error| CliError::Config(format!("{shown}: {}", line(&error))))
}

/// Reads a document and resolves its secrets from this machine's environment and files.
///
/// # Errors
/// One line that names the file and the field.
pub fn read_resolved(path: &Path) -> Result<Document, CliError> {
    let mut document = read(path)?;
    let file = |path: &str| {
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        bounded(file, MAX_SECRET_BYTES).map_err(|error| error.to_string())
    };
    document
        .resolve_secrets(&|name| std::env::var(name).ok(), &file)
        .map_err(|error| CliError::Config(line(&error)))?;
    Ok(document)
}

/// Checks a document as far as that is possible without a server.
pub(crate) fn validate(path: &Path) -> Result<usize, CliError> {
    let mut document = read(path)?;
    // Its form is checked, not whether the secrets are on this machine: CI has none.
    document
        .resolve_secrets(&|_| Some("absent".to_owned()), &|_| Ok("absent".to_owned()))
        .and_then(|()| document.desired())
        .and_then(|desired| Invalid::unless_empty(conditions(&desired)).map(|()| desired.len()))
        .map_err(|error| CliError::Config(line(&error)))
}

/// Conditions that no server would take, because they do not compile or cost too much.
fn conditions(desired: &[Desired]) -> Vec<FieldError> {
    let routes = desired.iter().filter_map(|wanted| match &wanted.spec {
        Spec::Route(spec) => Some((spec, &wanted.path)),
        _ => None,
    });
    let problems = routes.flat_map(|(spec, path)| {
        let found = policy::rules::problems(spec).into_iter();
        found.map(move |(field, message)| FieldError::new(format!("{path}.{field}"), message))
    });
    problems.collect()
}

fn read_text(path: &Path) -> io::Result<String> {
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(std::fs::File::open(path)?) };
    bounded(source, MAX_DOCUMENT_BYTES)
}

fn bounded(source: impl Read, most: usize) -> io::Result<String> {
    let mut text = String::new();
    source.take(most as u64 + 1).read_to_string(&mut text)?;
    if text.len() > most {
        return Err(io::Error::other(format!("is larger than {most} bytes")));
    }
    Ok(text)
}

fn line(error: &Invalid) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn validation_needs_no_secrets_and_names_the_field() {
        let good = written(
            "apiVersion: portcullis/v1\nproviders: { a: { kind: x, credentials: [ { name: m, secret: { env: NOT_SET_ANYWHERE } } ] } }",
        );
        assert_eq!(validate(good.path()).unwrap(), 2);
        let resolved = read_resolved(good.path()).unwrap_err();
        assert!(resolved.to_string().starts_with("providers.a.credentials[0].secret: "), "{resolved}");
        let endless = written(
            "apiVersion: portcullis/v1\nproviders: { a: { kind: x, credentials: [ { name: m, secret: { file: /dev/zero } } ] } }",
        );
        let endless = read_resolved(endless.path()).unwrap_err().to_string();
        assert!(endless.contains("is larger than 65536 bytes"), "{endless}");
        let wrong = written("apiVersion: portcullis/v1\ntenants:\n  acme:\n    sign_in: {}\n");
        let error = validate(wrong.path()).unwrap_err();
        assert!(error.to_string().contains("tenants.acme.sign_in: unknown field"), "{error}");
        assert!(error.exit_code() == 64 && !error.to_string().contains('\n'));
        assert_eq!(validate(Path::new("/nowhere.yaml")).unwrap_err().exit_code(), 64);
    }

    #[test]
    fn validation_compiles_conditions_and_follows_routes() {
        let refused = |routes: &str| {
            let file = written(&format!(
                "apiVersion: portcullis/v1\ntenants: {{ acme: {{ routes: {{ {routes} }} }} }}"
            ));
            let error = validate(file.path()).unwrap_err();
            assert!(error.exit_code() == 64 && !error.to_string().contains('\n'), "{error}");
            error.to_string()
        };
        let rule =
            "a: { rules: [ { when: 'request.imagse > 0', pool: x } ], pools: { x: { targets: [ p/m ] } } }";
        let shown = refused(rule);
        assert!(
            shown.starts_with("tenants.acme.routes.a.rules[0].when: unknown name `request.imagse`"),
            "{shown}"
        );
        let cycle = "a: { pools: { x: { route: b } } }, b: { pools: { x: { route: a } } }";
        assert_eq!(refused(cycle), "tenants.acme.routes.a.pools.x.route: a cycle: a → b → a");
        let zero = "a: { strategy: weighted, targets: [ { model: p/m, weight: 0 } ] }";
        assert!(refused(zero).starts_with("tenants.acme.routes.a.targets[0].weight: must be 1 to 1000"));
    }
}
