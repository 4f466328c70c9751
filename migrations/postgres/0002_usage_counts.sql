-- Counts that version 0.1 did not tell apart: it writes none of them, so they are 0 in its rows.
-- cache_write stays: since now it counts what was written for a lifetime that was not said.

ALTER TABLE usage_events ADD COLUMN write_5m BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN write_30m BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN write_1h BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN write_12h BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN tool_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN image_in BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN image_out BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN web_searches BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN search_units BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN images BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN audio_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN characters BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_events ADD COLUMN pages BIGINT NOT NULL DEFAULT 0;

ALTER TABLE usage_rollup ADD COLUMN write_5m BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN write_30m BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN write_1h BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN write_12h BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN tool_input BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN image_in BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN image_out BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN web_searches BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN search_units BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN images BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN audio_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN characters BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_rollup ADD COLUMN pages BIGINT NOT NULL DEFAULT 0;

-- The service tier of the provider that an attempt ran at; empty: the usual one.
ALTER TABLE usage_events ADD COLUMN service_tier TEXT COLLATE "C" NOT NULL DEFAULT '';
