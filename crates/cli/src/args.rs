//! Flags and variables of the admin verbs.

use std::{fmt, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

/// Where the admin API is and how to sign in.
#[derive(Clone, Args)]
pub struct Connection {
    /// The admin API.
    #[arg(long, env = "PORTCULLIS_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub server: String,
    /// The admin token; better given as variable, because other users see command lines.
    #[arg(long, env = "PORTCULLIS_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Certificates (PEM) to trust instead of the public authorities.
    #[arg(long, env = "PORTCULLIS_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// How to show an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Admin verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Make the server's configuration what a document says.
    Apply {
        /// The document, YAML or JSON; `-`: standard input.
        #[arg(short, long = "filename", value_name = "FILE")]
        file: PathBuf,
        /// Check and show what would change, change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Delete what the document does not mention.
        #[arg(long)]
        prune: bool,
        /// How to show the changes.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show what `apply` would change; exits 0: nothing, 1: something, 2: could not compare.
    Diff {
        /// The document, YAML or JSON; `-`: standard input.
        #[arg(short, long = "filename", value_name = "FILE")]
        file: PathBuf,
        /// As with `apply --prune`.
        #[arg(long)]
        prune: bool,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show resources.
    Get {
        /// `tenants`, `keys`, `limits`, `providers`, `credentials`, `models`, `prices`, `routes`; `all`: the document;
        /// `requests`: the newest of the request log.
        kind: String,
        /// One resource, by name or id; one request, by the id of its answer's header `x-portcullis-request-id`.
        name: Option<String>,
        /// The owner, by name; with no NAME given: only what this tenant owns.
        #[arg(short, long)]
        tenant: Option<String>,
        /// How to show them.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a resource.
    Delete {
        /// `tenant`, `key`, `limit`, `provider`, `credential`, `model`, `price` or `route`.
        kind: String,
        /// Its name or id.
        name: String,
        /// Its owner, by name.
        #[arg(short, long)]
        tenant: Option<String>,
        /// Delete what belongs to it, too.
        #[arg(long)]
        cascade: bool,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Give a key a new secret, shown once; the old one works for the grace period.
    Rotate {
        /// The key's name or id.
        key: String,
        /// Its tenant, by name.
        #[arg(short, long)]
        tenant: Option<String>,
        /// How long the old secret works: `0s` to `30d`.
        #[arg(long, default_value = "24h")]
        grace: String,
        /// How to show the key.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Check a document without a server; names that it leaves to the server are checked by `apply --dry-run`.
    Validate {
        /// The document, YAML or JSON; `-`: standard input.
        #[arg(short, long = "filename", value_name = "FILE")]
        file: PathBuf,
    },
    /// Show requests, tokens and cost.
    Usage {
        /// Any of `tenant`, `key`, `user`, `feature`, `model`, `provider`, `route`, `day`, `hour`.
        #[arg(long, value_name = "LIST", default_value = "tenant")]
        group_by: String,
        /// From this moment on (2027-12-31 or 2027-12-31T23:00:00Z).
        #[arg(long)]
        from: Option<String>,
        /// Before this moment.
        #[arg(long)]
        to: Option<String>,
        /// Only of this tenant, by name.
        #[arg(short, long)]
        tenant: Option<String>,
        /// Also of the tenants below it.
        #[arg(long, requires = "tenant")]
        subtree: bool,
        /// How to show it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show budgets: caps, and the windows that are in force.
    Budgets {
        /// Only those that count the requests of this tenant: its own, and those of the tenants above it.
        #[arg(short, long)]
        tenant: Option<String>,
        /// How to show them.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// What would become of a request, and why: rule, pool, targets in order, who is passed over; nothing is sent.
    Explain(Box<ExplainArgs>),
    /// What the connected proxies see of targets and keys: who is out of use, for how long, how fast, how busy.
    Health {
        /// How to show it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// What is known of models and their prices by kind of provider.
    Catalogue {
        /// What to do with it.
        #[command(subcommand)]
        command: CatalogueCommand,
    },
    /// Print the JSON Schema of the document, for editors.
    Schema,
}

/// A request that is only imagined.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The tenant that sends the request, by name.
    #[arg(short, long)]
    pub tenant: String,
    /// What the client puts into `model`; may be left out where the body says it.
    #[arg(short, long)]
    pub model: Option<String>,
    /// The key it signs in with, by name; not given: one that may use every route.
    #[arg(short, long)]
    pub key: Option<String>,
    /// What the user says.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "body")]
    pub prompt: Option<String>,
    /// The client's body, JSON or YAML; `-`: standard input.
    #[arg(short, long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// The client API: `chat` unless given, `responses`, `messages`, `gemini`, `cohere`, `converse`, `embeddings`, …
    #[arg(long)]
    pub api: Option<String>,
    /// The region of the proxy, where not all have the same.
    #[arg(long)]
    pub region: Option<String>,
    /// What `x-portcullis-user` says.
    #[arg(long)]
    pub user: Option<String>,
    /// What `x-portcullis-feature` says.
    #[arg(long)]
    pub feature: Option<String>,
    /// What `x-portcullis-session` says.
    #[arg(long)]
    pub session: Option<String>,
    /// One of `x-portcullis-tags`; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    pub tag: Vec<(String, String)>,
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// The server.
    #[command(flatten)]
    pub connection: Connection,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Verbs of the catalogue.
#[derive(Clone, Debug, Subcommand)]
pub enum CatalogueCommand {
    /// Import a catalogue file: what it names is known from now on, what it does not name stays.
    Import {
        /// The file, JSON or YAML; `-`: standard input.
        file: PathBuf,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// List models with the prices in force.
    List {
        /// Only of this kind of provider, such as `openai`.
        #[arg(short, long)]
        kind: Option<String>,
        /// How to show them.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one model with all its prices.
    Show {
        /// `kind/model`, such as `openai/gpt-4o-mini`.
        model: String,
        /// How to show it.
        #[arg(short, long, value_enum, default_value = "yaml")]
        output: Output,
        /// The server.
        #[command(flatten)]
        connection: Connection,
    },
}
