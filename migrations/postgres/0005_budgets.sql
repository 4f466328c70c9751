-- The books of budgets: what the store of budgets is loaded with after it lost data. See docs/spec/money.md.
-- One book for each topmost tenant; its row is locked by every change.
CREATE TABLE budget_books (
    root TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    sealed BIGINT NOT NULL,
    token TEXT COLLATE "C",
    last_epoch BIGINT,
    last_token TEXT COLLATE "C"
);

-- Proxies, by their folder. `joined`: the newest epoch of which it got the token; `declared`: in which it declared.
CREATE TABLE budget_members (
    root TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    joined BIGINT NOT NULL,
    declared BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (root, holder)
);

CREATE INDEX budget_members_by_holder ON budget_members (holder);

-- `kept`: what the proxy declared, in micro-dollars; `spent`: what it reported, in nano-dollars.
CREATE TABLE budget_accounts (
    root TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    budget TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_previous BIGINT NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    kept BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    PRIMARY KEY (root, budget, generation, window_start, value, holder)
);

CREATE INDEX budget_accounts_by_holder ON budget_accounts (root, holder);

-- Caps in micro-dollars as proxies told them. `edge`: start of the newest window that is over; `added`: the epoch in
-- which the budget was first heard of.
CREATE TABLE budget_caps (
    root TEXT COLLATE "C" NOT NULL,
    budget TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    cap BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    edge BIGINT,
    added BIGINT NOT NULL,
    PRIMARY KEY (root, budget, generation)
);

CREATE INDEX budget_accounts_by_budget ON budget_accounts (budget, window_start);
