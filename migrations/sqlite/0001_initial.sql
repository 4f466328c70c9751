-- Times are microseconds since the Unix epoch, flags are 0 or 1, ids are UUIDs in lower-case text, money is nano-dollars.
-- STRICT: a number that outgrows 64 bits is an error instead of a float.
-- The same statements as in migrations/postgres, but for the names of types; a test compares the two.

-- The one row that every configuration write locks first, so that revisions are committed in order.
CREATE TABLE store_meta (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Configuration; rows are never removed, so that whoever reads changes also sees what is gone.
CREATE TABLE resources (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    tenant_id TEXT REFERENCES resources (id),
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    sealed BLOB,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE UNIQUE INDEX resources_live_name ON resources (kind, COALESCE(tenant_id, ''), name) WHERE deleted_at IS NULL;
CREATE INDEX resources_by_name ON resources (kind, name, id) WHERE deleted_at IS NULL;
CREATE INDEX resources_by_revision ON resources (revision);

CREATE TABLE change_log (
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    tenant_id TEXT,
    name TEXT NOT NULL,
    op TEXT NOT NULL,
    spec_before TEXT,
    spec_after TEXT,
    resealed INTEGER NOT NULL,
    PRIMARY KEY (revision, seq)
) STRICT;

CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT,
    resource_id TEXT,
    tenant_id TEXT,
    name TEXT,
    revision INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;

-- One row per attempt; what belongs to the request is repeated on each, and its last attempt is marked final.
CREATE TABLE usage_events (
    day INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    final INTEGER NOT NULL,
    incarnation_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    user_id TEXT,
    feature TEXT,
    tags TEXT NOT NULL,
    api TEXT NOT NULL,
    stream INTEGER NOT NULL,
    route TEXT NOT NULL,
    request_outcome TEXT NOT NULL,
    request_status INTEGER NOT NULL,
    cache TEXT NOT NULL,
    request_duration_us INTEGER NOT NULL,
    overhead_us INTEGER NOT NULL,
    ttft_us INTEGER,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    input_uncached INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    output_visible INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_in INTEGER NOT NULL,
    audio_out INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL,
    price_id TEXT,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (day, request_id, attempt)
) STRICT;

CREATE INDEX usage_events_by_tenant ON usage_events (tenant_id, day, request_id);

-- Hourly sums of usage_events; the hour is that in which the request was accepted. An empty user or feature is none.
CREATE TABLE usage_rollup (
    hour INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    feature TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    route TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_uncached INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    output_visible INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    audio_in INTEGER NOT NULL,
    audio_out INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL,
    PRIMARY KEY (hour, tenant_id, key_id, user_id, feature, provider, model, route)
) STRICT;

CREATE INDEX usage_rollup_by_tenant ON usage_rollup (tenant_id, hour);
