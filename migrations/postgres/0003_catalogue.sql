-- What is known of models and their prices by kind of provider, for providers that have no rows of their own.
-- `part` is model or price, `model` is kind/model, and `name` is that, for prices with the moment they begin at.
CREATE TABLE catalogue (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    part TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    provider_kind TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX catalogue_by_name ON catalogue (part, name);
CREATE INDEX catalogue_by_kind ON catalogue (provider_kind, revision);
CREATE INDEX catalogue_by_model ON catalogue (part, model);

-- The versions of catalogue files that were imported.
CREATE TABLE catalogue_imports (
    version TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
