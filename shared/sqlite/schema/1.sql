-- Version 1. The five tables are those that the ledger has on DynamoDB, under the same keys; what stands in a column of
-- its own is searched for, or is worth looking at. `rest` has what else an item holds, as JSON.
--
-- Rows are kept by rowid: an event of a kilobyte would otherwise stand in every level of a B-tree that is ordered by keys
-- that are hashes, and each insert would rewrite a page somewhere.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    pk          TEXT NOT NULL,    -- server#recipient
    sk          TEXT NOT NULL,    -- class#identity
    kind        TEXT,
    stream      TEXT,
    at          INTEGER,          -- microseconds since 1970, as all times but expires_at
    message     TEXT,             -- server#MessageID
    slot        TEXT,             -- server#stream#day#slot
    address     TEXT,
    source      TEXT,
    received_at INTEGER,
    hash        BLOB,
    body        BLOB,             -- packed; NULL once the person is erased
    dropped     TEXT,
    expires_at  INTEGER,          -- seconds since 1970
    rest        TEXT,
    PRIMARY KEY (pk, sk)
) STRICT;
CREATE INDEX by_message ON events (message, at) WHERE message IS NOT NULL;
CREATE INDEX by_time ON events (slot, at) WHERE slot IS NOT NULL;
CREATE INDEX events_expire ON events (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE recipients (
    pk         TEXT NOT NULL,     -- server#recipient
    sk         TEXT NOT NULL,     -- * for the view, a stream's name (*server for all) for its row
    folded     TEXT,
    view       BLOB,              -- packed
    suppressed TEXT,              -- server#stream
    since      INTEGER,
    causes     TEXT,
    address    TEXT,
    rest       TEXT,
    PRIMARY KEY (pk, sk)
) STRICT;
CREATE INDEX suppressed ON recipients (suppressed, since, pk, sk) WHERE suppressed IS NOT NULL;

CREATE TABLE counters (
    pk   TEXT NOT NULL,           -- server#stream
    sk   TEXT NOT NULL,           -- hour#shard
    rest TEXT,
    PRIMARY KEY (pk, sk)
) STRICT, WITHOUT ROWID;

CREATE TABLE registry (
    pk       TEXT NOT NULL,
    sk       TEXT NOT NULL,
    document TEXT,
    version  INTEGER,
    rest     TEXT,
    PRIMARY KEY (pk, sk)
) STRICT;

CREATE TABLE quarantine (
    pk          TEXT NOT NULL,    -- day
    sk          TEXT NOT NULL,    -- time#id#part
    part        TEXT,
    expires_at  INTEGER,          -- seconds since 1970
    replayed_at INTEGER,
    rest        TEXT,
    PRIMARY KEY (pk, sk)
) STRICT;
CREATE INDEX quarantine_expire ON quarantine (expires_at) WHERE expires_at IS NOT NULL;

-- The queues. What is in flight becomes visible again when the database is opened: whoever had it is gone.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    queue      TEXT NOT NULL,
    body       TEXT NOT NULL,
    receives   INTEGER NOT NULL DEFAULT 0,
    receipt    TEXT,
    visible_at INTEGER NOT NULL DEFAULT 0  -- milliseconds since 1970; 0: now
) STRICT;
CREATE INDEX waiting ON messages (queue, visible_at, id);

-- Views for people.

CREATE VIEW v_events AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS time,
    CAST(substr(pk, 1, instr(pk, '#') - 1) AS INTEGER) AS server,
    stream,
    kind,
    address,
    json_extract(rest, '$.type') AS type,
    json_extract(rest, '$.cause') AS cause,
    substr(message, instr(message, '#') + 1) AS message_id,
    source,
    strftime('%Y-%m-%dT%H:%M:%SZ', received_at / 1000000, 'unixepoch') AS received,
    substr(pk, instr(pk, '#') + 1) AS recipient_id,
    substr(sk, instr(sk, '#') + 1) AS event_id
FROM events;

CREATE VIEW v_suppressed AS
SELECT
    CAST(substr(suppressed, 1, instr(suppressed, '#') - 1) AS INTEGER) AS server,
    substr(suppressed, instr(suppressed, '#') + 1) AS stream,
    address,
    causes,
    strftime('%Y-%m-%dT%H:%M:%SZ', since / 1000000, 'unixepoch') AS since,
    substr(pk, instr(pk, '#') + 1) AS recipient_id
FROM recipients
WHERE suppressed IS NOT NULL;

CREATE VIEW v_counts AS
SELECT
    substr(c.sk, 1, 10) AS day,
    CAST(substr(c.pk, 1, instr(c.pk, '#') - 1) AS INTEGER) AS server,
    substr(c.pk, instr(c.pk, '#') + 1) AS stream,
    n.key AS measure,
    sum(n.value) AS count
FROM counters AS c, json_each(c.rest) AS n
WHERE n.key <> 'latest'
GROUP BY day, server, stream, measure;

CREATE VIEW v_quarantine AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', json_extract(part, '$.received_at') / 1000000, 'unixepoch') AS received,
    json_extract(part, '$.server') AS server,
    json_extract(part, '$.reason') AS reason,
    json_extract(part, '$.detail') AS detail,
    json_extract(part, '$.part') || '/' || json_extract(part, '$.parts') AS part,
    strftime('%Y-%m-%dT%H:%M:%SZ', replayed_at / 1000000, 'unixepoch') AS replayed,
    json_extract(part, '$.id') AS id
FROM quarantine;
