-- What is known of models and their prices by kind of provider, for providers that have no rows of their own.
-- `part` is model or price, `model` is kind/model, and `name` is that, for prices with the moment they begin at.
CREATE TABLE catalogue (
    id TEXT NOT NULL PRIMARY KEY,
    part TEXT NOT NULL,
    name TEXT NOT NULL,
    provider_kind TEXT NOT NULL,
    model TEXT NOT NULL,
    spec TEXT NOT NULL,
    revision INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX catalogue_by_name ON catalogue (part, name);
CREATE INDEX catalogue_by_kind ON catalogue (provider_kind, revision);
CREATE INDEX catalogue_by_model ON catalogue (part, model);

-- The versions of catalogue files that were imported.
CREATE TABLE catalogue_imports (
    version TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
