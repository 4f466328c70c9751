-- Times are microseconds since the Unix epoch, flags are 0 or 1, ids are UUIDs in lower-case text, money is nano-dollars.
-- COLLATE "C": text is ordered by its bytes, as in SQLite, whatever locale the database was made with.
-- The same statements as in migrations/sqlite, but for the names of types and the partitions; a test compares the two.

-- The one row that every configuration write locks first, so that revisions are committed in order.
CREATE TABLE store_meta (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    store_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Configuration; rows are never removed, so that whoever reads changes also sees what is gone.
CREATE TABLE resources (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C" REFERENCES resources (id),
    name TEXT COLLATE "C" NOT NULL,
    spec TEXT COLLATE "C" NOT NULL,
    sealed BYTEA,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE UNIQUE INDEX resources_live_name ON resources (kind, COALESCE(tenant_id, ''), name) WHERE deleted_at IS NULL;
CREATE INDEX resources_by_name ON resources (kind, name, id) WHERE deleted_at IS NULL;
CREATE INDEX resources_by_revision ON resources (revision);

CREATE TABLE change_log (
    revision BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    tenant_id TEXT COLLATE "C",
    name TEXT COLLATE "C" NOT NULL,
    op TEXT COLLATE "C" NOT NULL,
    spec_before TEXT COLLATE "C",
    spec_after TEXT COLLATE "C",
    resealed BIGINT NOT NULL,
    PRIMARY KEY (revision, seq)
);

CREATE TABLE audit_log (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C",
    resource_id TEXT COLLATE "C",
    tenant_id TEXT COLLATE "C",
    name TEXT COLLATE "C",
    revision BIGINT NOT NULL,
    detail TEXT COLLATE "C" NOT NULL
);

-- One row per attempt; what belongs to the request is repeated on each, and its last attempt is marked final.
CREATE TABLE usage_events (
    day BIGINT NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    attempt BIGINT NOT NULL,
    final BIGINT NOT NULL,
    incarnation_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C",
    feature TEXT COLLATE "C",
    tags TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL,
    stream BIGINT NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    request_outcome TEXT COLLATE "C" NOT NULL,
    request_status BIGINT NOT NULL,
    cache TEXT COLLATE "C" NOT NULL,
    request_duration_us BIGINT NOT NULL,
    overhead_us BIGINT NOT NULL,
    ttft_us BIGINT,
    provider TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    input_uncached BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output_visible BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_in BIGINT NOT NULL,
    audio_out BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    price_id TEXT COLLATE "C",
    estimated BIGINT NOT NULL,
    PRIMARY KEY (day, request_id, attempt)
) PARTITION BY RANGE (day);

-- Takes what has no partition of its own, so that no usage is ever refused; the ledger makes those of each day ahead.
CREATE TABLE usage_events_default PARTITION OF usage_events DEFAULT;

CREATE INDEX usage_events_by_tenant ON usage_events (tenant_id, day, request_id);

-- Hourly sums of usage_events; the hour is that in which the request was accepted. An empty user or feature is none.
CREATE TABLE usage_rollup (
    hour BIGINT NOT NULL,
    tenant_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    feature TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    input_uncached BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write BIGINT NOT NULL,
    output_visible BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_in BIGINT NOT NULL,
    audio_out BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    PRIMARY KEY (hour, tenant_id, key_id, user_id, feature, provider, model, route)
);

CREATE INDEX usage_rollup_by_tenant ON usage_rollup (tenant_id, hour);
