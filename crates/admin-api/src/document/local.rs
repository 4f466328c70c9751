//! What only the local reader of a document does: resolve `env` and `file`, and write the body for the server.

use serde_json::{Value, json};

use super::{CredentialEntry, Document, ProviderEntry};
use crate::{FieldError, Invalid, SecretSource, SecretText};

impl Document {
    /// Replaces every `env` and `file` by the secret it names.
    ///
    /// `env` looks a variable up, `file` reads a file; both say in one sentence why they cannot.
    ///
    /// # Errors
    /// One per secret that cannot be resolved, none of which repeats a secret.
    pub fn resolve_secrets(
        &mut self,
        env: &impl Fn(&str) -> Option<String>,
        file: &impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), Invalid> {
        let mut errors = Vec::new();
        for (path, credential) in self.credentials_mut() {
            let Some(source) = credential.secret.take() else { continue };
            match resolve(source, env, file) {
                Ok(text) => credential.secret = Some(SecretSource::Value(text)),
                Err(message) => errors.push(FieldError::new(format!("{path}.secret"), message)),
            }
        }
        Invalid::unless_empty(errors)
    }

    /// The JSON body for `POST /api/v1/apply`, resolved secrets included: for the server's eyes only.
    ///
    /// # Errors
    /// Never in practice: the document holds nothing that JSON cannot.
    pub fn to_request_body(&self) -> Result<Value, serde_json::Error> {
        let mut body = serde_json::to_value(self)?;
        put_secrets(&mut body, self.providers.iter());
        for (name, tenant) in &self.tenants {
            if let Some(written) = body.pointer_mut(&format!("/tenants/{name}")) {
                put_secrets(written, tenant.providers.iter());
            }
        }
        Ok(body)
    }

    fn credentials_mut(&mut self) -> impl Iterator<Item = (String, &mut CredentialEntry)> {
        let own = self.providers.iter_mut().map(|(name, entry)| (format!("providers.{name}"), entry));
        let theirs = self.tenants.iter_mut().flat_map(|(tenant, entry)| {
            let path = move |name| format!("tenants.{tenant}.providers.{name}");
            entry.providers.iter_mut().map(move |(name, entry)| (path(name), entry))
        });
        own.chain(theirs).flat_map(|(path, entry)| {
            let path = move |index: usize| format!("{path}.credentials[{index}]");
            entry.credentials.iter_mut().enumerate().map(move |(index, entry)| (path(index), entry))
        })
    }
}

fn resolve(
    source: SecretSource,
    env: &impl Fn(&str) -> Option<String>,
    file: &impl Fn(&str) -> Result<String, String>,
) -> Result<SecretText, String> {
    match source {
        SecretSource::Value(text) => Ok(text),
        SecretSource::Env(name) => {
            let text = env(&name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
            SecretText::new(text).map_err(|error| format!("the environment variable {name} {error}"))
        }
        SecretSource::File(path) => {
            let text = file(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
            SecretText::new(text).map_err(|error| format!("the file {path} {error}"))
        }
    }
}

/// Adds the secrets that serialisation leaves out on purpose.
fn put_secrets<'a, N: std::fmt::Display + 'a>(
    body: &mut Value,
    providers: impl Iterator<Item = (N, &'a ProviderEntry)>,
) {
    for (name, provider) in providers {
        for (index, credential) in provider.credentials.iter().enumerate() {
            // Names hold neither '/' nor '~', so they need no escaping in a pointer (RFC 6901).
            let written = body.pointer_mut(&format!("/providers/{name}/credentials/{index}"));
            let secret = match &credential.secret {
                None => continue,
                Some(SecretSource::Value(text)) => json!({ "value": text.reveal() }),
                Some(SecretSource::Env(name)) => json!({ "env": name }),
                Some(SecretSource::File(path)) => json!({ "file": path }),
            };
            if let Some(Value::Object(fields)) = written {
                fields.insert("secret".to_owned(), secret);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    const TEXT: &str = "apiVersion: portcullis/v1\n\
        providers: { a: { kind: x, credentials: [ { name: m, secret: { env: E } }, { name: n } ] } }\n\
        tenants: { t: { providers: { b: { kind: x, credentials: [ { name: m, secret: { file: F } } ] } } } }";

    #[test]
    fn resolved_secrets_reach_the_request_and_nothing_else() {
        let mut document = Document::read(TEXT, Format::Yaml).unwrap();
        document
            .resolve_secrets(&|name| Some(format!("canary-{name}")), &|path| Ok(format!("canary-{path}\n")))
            .unwrap();
        assert!(!format!("{document:?}{}", serde_json::to_string(&document).unwrap()).contains("canary"));
        let body = document.to_request_body().unwrap();
        let (own, theirs) = (
            body.pointer("/providers/a/credentials/0/secret/value"),
            body.pointer("/tenants/t/providers/b/credentials/0/secret/value"),
        );
        assert_eq!((own, theirs), (Some(&json!("canary-E")), Some(&json!("canary-F"))));
        assert_eq!(Document::read(&body.to_string(), Format::Json).unwrap(), document);
    }

    #[test]
    fn what_cannot_be_resolved_names_the_field_and_the_source() {
        let mut document = Document::read(TEXT, Format::Yaml).unwrap();
        let error = document.resolve_secrets(&|_| None, &|_| Err("no such file".into())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "providers.a.credentials[0].secret: the environment variable E is not set; \
             tenants.t.providers.b.credentials[0].secret: cannot read F: no such file"
        );
    }
}
