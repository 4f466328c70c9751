-- Why a request went where it went. Earlier versions did not record it: then all three are NULL, and a rule is where none
-- matched.
ALTER TABLE usage_events ADD COLUMN rule TEXT COLLATE "C";
ALTER TABLE usage_events ADD COLUMN pool TEXT COLLATE "C";
ALTER TABLE usage_events ADD COLUMN reason TEXT COLLATE "C";
