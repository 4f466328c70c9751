-- The books of budgets: what the store of budgets is loaded with after it lost data. See docs/spec/money.md.
-- One book for each topmost tenant; its row is locked by every change.
CREATE TABLE budget_books (
    root TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    token TEXT,
    last_epoch INTEGER,
    last_token TEXT
) STRICT;

-- Proxies, by their folder. `joined`: the newest epoch of which it got the token; `declared`: in which it declared.
CREATE TABLE budget_members (
    root TEXT NOT NULL,
    holder TEXT NOT NULL,
    state TEXT NOT NULL,
    joined INTEGER NOT NULL,
    declared INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (root, holder)
) STRICT;

CREATE INDEX budget_members_by_holder ON budget_members (holder);

-- `kept`: what the proxy declared, in micro-dollars; `spent`: what it reported, in nano-dollars.
CREATE TABLE budget_accounts (
    root TEXT NOT NULL,
    holder TEXT NOT NULL,
    budget TEXT NOT NULL,
    generation INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_previous INTEGER NOT NULL,
    value TEXT NOT NULL,
    kept INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    PRIMARY KEY (root, budget, generation, window_start, value, holder)
) STRICT;

CREATE INDEX budget_accounts_by_holder ON budget_accounts (root, holder);

-- Caps in micro-dollars as proxies told them. `edge`: start of the newest window that is over; `added`: the epoch in
-- which the budget was first heard of.
CREATE TABLE budget_caps (
    root TEXT NOT NULL,
    budget TEXT NOT NULL,
    generation INTEGER NOT NULL,
    cap INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    edge INTEGER,
    added INTEGER NOT NULL,
    PRIMARY KEY (root, budget, generation)
) STRICT;

CREATE INDEX budget_accounts_by_budget ON budget_accounts (budget, window_start);
