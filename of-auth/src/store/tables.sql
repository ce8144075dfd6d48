-- Times are seconds since 1970. A BLOB is the SHA-256 of something that only its holder has.

-- Who people are, as their provider said at their last login.
CREATE TABLE people (
    subject TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    seen INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    sid TEXT PRIMARY KEY,
    subject TEXT NOT NULL REFERENCES people,
    agent TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_subject ON sessions(subject, seen);

-- Sessions and API tokens that ended before their time.
CREATE TABLE revoked (
    sid TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;

CREATE TABLE logins (
    state BLOB PRIMARY KEY,
    browser BLOB NOT NULL,
    provider TEXT NOT NULL,
    pending TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    bind TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE tickets (
    ticket BLOB PRIMARY KEY,
    sid TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    bind TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,
    subject TEXT NOT NULL REFERENCES people,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_by_subject ON tokens(subject, created);

-- Logins of command lines. `state`: 0 waits, 1 is granted, 2 is denied.
CREATE TABLE devices (
    device BLOB PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    client TEXT NOT NULL,
    expires INTEGER NOT NULL,
    pause INTEGER NOT NULL,
    polled INTEGER NOT NULL,
    state INTEGER NOT NULL,
    subject TEXT
) STRICT;

-- Signing keys. One whose private half is an operator's secret has no `pem`.
CREATE TABLE keys (
    kid TEXT PRIMARY KEY,
    pem TEXT,
    public TEXT NOT NULL,
    created INTEGER NOT NULL,
    retired INTEGER
) STRICT;
