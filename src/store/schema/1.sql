-- Version 1. docs/store.md tells what each table and column is for. Times are microseconds: `time_us` since
-- 1970-01-01T00:00:00 UTC by the node's wall clock, `mono_us` since the node's boot.

CREATE TABLE channel (
    id       INTEGER PRIMARY KEY,
    node     TEXT NOT NULL,
    chip     TEXT NOT NULL,
    quantity TEXT NOT NULL,
    unit     TEXT NOT NULL,
    UNIQUE (node, chip, quantity, unit)
);

-- A journal known here. `taken_seq` is the cursor. The open_ columns are the newest span, still growing.
CREATE TABLE source (
    id               INTEGER PRIMARY KEY,
    node             TEXT NOT NULL,
    journal          TEXT NOT NULL,
    own              INTEGER NOT NULL CHECK (own IN (0, 1)),
    taken_seq        INTEGER NOT NULL,
    open_first_seq   INTEGER,
    open_min_time_us INTEGER,
    open_max_time_us INTEGER,
    UNIQUE (journal, node)
);
CREATE UNIQUE INDEX source_own ON source (own) WHERE own = 1;

CREATE TABLE boot (
    source    INTEGER NOT NULL REFERENCES source (id),
    first_seq INTEGER NOT NULL,
    boot      TEXT NOT NULL,
    PRIMARY KEY (source, first_seq)
) WITHOUT ROWID;

CREATE TABLE err_reason (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
INSERT INTO err_reason (code, name) VALUES
    (1, 'nack'), (2, 'timeout'), (3, 'crc'), (4, 'range'), (5, 'not_ready'), (6, 'absent'), (7, 'stuck'),
    (8, 'node_down'), (9, 'parse');

CREATE TABLE reading (
    source  INTEGER NOT NULL REFERENCES source (id),
    seq     INTEGER NOT NULL,
    channel INTEGER NOT NULL REFERENCES channel (id),
    time_us INTEGER NOT NULL,
    mono_us INTEGER NOT NULL,
    value   REAL,
    err     INTEGER REFERENCES err_reason (code),
    PRIMARY KEY (source, seq),
    CHECK ((value IS NULL) <> (err IS NULL))
) WITHOUT ROWID;

-- A full span: consecutive readings of one source, with no hole in them, and the times between which they lie.
CREATE TABLE span (
    source      INTEGER NOT NULL REFERENCES source (id),
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    min_time_us INTEGER NOT NULL,
    max_time_us INTEGER NOT NULL,
    PRIMARY KEY (source, first_seq)
) WITHOUT ROWID;

CREATE TABLE dropped (
    source    INTEGER NOT NULL REFERENCES source (id),
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    time_us   INTEGER NOT NULL,
    reason    TEXT NOT NULL CHECK (reason IN ('max_bytes', 'not_at_source')),
    PRIMARY KEY (source, first_seq)
) WITHOUT ROWID;

CREATE TABLE round (
    number   INTEGER PRIMARY KEY,
    time_us  INTEGER NOT NULL,
    nodes    INTEGER NOT NULL,
    answered INTEGER NOT NULL
);

-- From which round to which a node did not answer; no `last_round` while that goes on.
CREATE TABLE round_down (
    node        TEXT NOT NULL,
    first_round INTEGER NOT NULL,
    last_round  INTEGER,
    PRIMARY KEY (node, first_round)
) WITHOUT ROWID;

CREATE TABLE consumer (
    name      TEXT PRIMARY KEY,
    taken_seq INTEGER NOT NULL,
    seen_us   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE peer (
    address TEXT PRIMARY KEY,
    node    TEXT NOT NULL
) WITHOUT ROWID;

-- All spans, full and growing: where the readings of some time are.
CREATE VIEW piece AS
SELECT source, first_seq, last_seq, min_time_us, max_time_us FROM span
UNION ALL
SELECT id, open_first_seq, taken_seq, open_min_time_us, open_max_time_us FROM source
WHERE open_first_seq IS NOT NULL;

-- For people, pandas and Grafana: readings with their names, and times in RFC 3339.
CREATE VIEW readings AS
SELECT channel.node, channel.chip, channel.quantity, channel.unit,
       strftime('%Y-%m-%dT%H:%M:%S', (time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS time,
       value, err_reason.name AS err, source.journal, seq, time_us, mono_us, r.source
FROM (SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM reading) AS r
JOIN channel ON channel.id = r.channel
JOIN source ON source.id = r.source
LEFT JOIN err_reason ON err_reason.code = r.err;

CREATE VIEW rounds AS
SELECT number,
       strftime('%Y-%m-%dT%H:%M:%S', (time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS time,
       nodes, answered, time_us
FROM (SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM round);
