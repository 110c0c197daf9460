-- Version 2: when a reading was taken is worked out from what is known of clocks, and better when more is known. What
-- nodes stamped (`time_us`, `mono_us` of `reading`) stays as it is. The program fills `span`, `mark` and `dating` of
-- what is there already, in the same transaction.

DROP VIEW readings;
DROP VIEW rounds;
DROP VIEW piece;

-- A boot of a source's machine, and its first reading here; no `first_seq` while none of its readings is here. `stale`
-- says that its rows in `dating` have yet to follow from what is known.
ALTER TABLE boot RENAME TO boot_1;
CREATE TABLE boot (
    id        INTEGER PRIMARY KEY,
    source    INTEGER NOT NULL REFERENCES source (id),
    boot      TEXT NOT NULL,
    first_seq INTEGER,
    stale     INTEGER NOT NULL DEFAULT 0 CHECK (stale IN (0, 1))
);
INSERT INTO boot (source, boot, first_seq) SELECT source, boot, first_seq FROM boot_1 ORDER BY source, first_seq;
DROP TABLE boot_1;
CREATE UNIQUE INDEX boot_first_seq ON boot (source, first_seq);

-- What the wall clock of a boot showed, and how far it was off at most while something synchronised it.
CREATE TABLE mark (
    boot      INTEGER NOT NULL REFERENCES boot (id),
    mono_us   INTEGER NOT NULL,
    wall_us   INTEGER NOT NULL,
    synced_us INTEGER,
    PRIMARY KEY (boot, mono_us)
) WITHOUT ROWID;

-- Where the monotonic clock of a boot met that of a boot of this node's own machine (`here`).
CREATE TABLE link (
    boot     INTEGER NOT NULL REFERENCES boot (id),
    here     INTEGER NOT NULL REFERENCES boot (id),
    mono_us  INTEGER NOT NULL,
    here_us  INTEGER NOT NULL,
    error_us INTEGER NOT NULL,
    PRIMARY KEY (boot, here, mono_us)
) WITHOUT ROWID;

-- What follows from them: from `from_mono_us` on, up to the next row's, the time is on a line through
-- (`mono_us`, `time_us`).
CREATE TABLE dating (
    boot         INTEGER NOT NULL REFERENCES boot (id),
    from_mono_us INTEGER NOT NULL,
    mono_us      INTEGER NOT NULL,
    time_us      INTEGER NOT NULL,
    rate_ppb     INTEGER NOT NULL,
    error_us     INTEGER,
    growth_ppb   INTEGER NOT NULL,
    time_source  TEXT NOT NULL CHECK (time_source IN ('sink', 'node', 'unknown')),
    PRIMARY KEY (boot, from_mono_us)
) WITHOUT ROWID;

-- A full span: consecutive readings of one boot of one source, with no hole in them, and the monotonic moments between
-- which they lie. `taken_us`: when the last of them came here, by this node's wall clock.
DROP TABLE span;
CREATE TABLE span (
    source      INTEGER NOT NULL REFERENCES source (id),
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    boot        INTEGER NOT NULL REFERENCES boot (id),
    min_mono_us INTEGER NOT NULL,
    max_mono_us INTEGER NOT NULL,
    taken_us    INTEGER NOT NULL,
    PRIMARY KEY (source, first_seq)
) WITHOUT ROWID;
ALTER TABLE source RENAME COLUMN open_min_time_us TO open_min_mono_us;
ALTER TABLE source RENAME COLUMN open_max_time_us TO open_max_mono_us;
ALTER TABLE source ADD COLUMN open_boot INTEGER;
ALTER TABLE source ADD COLUMN open_taken_us INTEGER;

ALTER TABLE round ADD COLUMN boot INTEGER;
ALTER TABLE round ADD COLUMN mono_us INTEGER;

-- All spans, full and growing, with the times between which their readings lie: where the readings of some time are.
CREATE VIEW piece AS
SELECT s.source, s.first_seq, s.last_seq,
       coalesce(CAST(a.time_us + (s.min_mono_us - a.mono_us)
           + CAST((s.min_mono_us - a.mono_us) * a.rate_ppb / 1000000000 AS INTEGER) AS INTEGER),
           -9223372036854775808) AS min_time_us,
       coalesce(CAST(b.time_us + (s.max_mono_us - b.mono_us)
           + CAST((s.max_mono_us - b.mono_us) * b.rate_ppb / 1000000000 AS INTEGER) AS INTEGER),
           9223372036854775807) AS max_time_us,
       coalesce(b.time_source, 'unknown') AS time_source, s.boot, s.min_mono_us, s.max_mono_us
FROM (
    SELECT source, first_seq, last_seq, boot, min_mono_us, max_mono_us FROM span
    UNION ALL
    SELECT id, open_first_seq, taken_seq, open_boot, open_min_mono_us, open_max_mono_us FROM source
    WHERE open_first_seq IS NOT NULL
) AS s
LEFT JOIN dating AS a ON a.boot = s.boot AND a.from_mono_us =
    (SELECT max(from_mono_us) FROM dating WHERE dating.boot = s.boot AND from_mono_us <= s.min_mono_us)
LEFT JOIN dating AS b ON b.boot = s.boot AND b.from_mono_us =
    (SELECT max(from_mono_us) FROM dating WHERE dating.boot = s.boot AND from_mono_us <= s.max_mono_us);

-- For people, pandas and Grafana: readings with their names and their times, as well as these are known.
CREATE VIEW readings AS
SELECT channel.node, channel.chip, channel.quantity, channel.unit,
       strftime('%Y-%m-%dT%H:%M:%S', (r.time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS time,
       value, err_reason.name AS err, time_source, time_error_us / 1000000.0 AS time_error_s,
       source.journal, seq, r.time_us, node_time_us, mono_us, boot, r.source
FROM (
    SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM (
        SELECT reading.source, seq, channel, value, err, reading.time_us AS node_time_us, reading.mono_us, boot.boot,
               coalesce(CAST(d.time_us + (reading.mono_us - d.mono_us)
                   + CAST((reading.mono_us - d.mono_us) * rate_ppb / 1000000000 AS INTEGER) AS INTEGER),
                   reading.time_us) AS time_us,
               coalesce(d.time_source, 'unknown') AS time_source,
               d.error_us + CAST(abs(1.0 * (reading.mono_us - d.mono_us)) * growth_ppb / 1000000000 AS INTEGER) AS time_error_us
        FROM reading
        LEFT JOIN boot ON boot.id = (SELECT id FROM boot WHERE boot.source = reading.source
            AND first_seq <= reading.seq ORDER BY first_seq DESC LIMIT 1)
        LEFT JOIN dating AS d ON d.boot = boot.id AND d.from_mono_us =
            (SELECT max(from_mono_us) FROM dating WHERE dating.boot = boot.id AND from_mono_us <= reading.mono_us)
    )
) AS r
JOIN channel ON channel.id = r.channel
JOIN source ON source.id = r.source
LEFT JOIN err_reason ON err_reason.code = r.err;

CREATE VIEW rounds AS
SELECT number,
       strftime('%Y-%m-%dT%H:%M:%S', (time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS time,
       nodes, answered, time_us, time_source, node_time_us, mono_us
FROM (
    SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM (
        SELECT number, nodes, answered, round.time_us AS node_time_us, round.mono_us,
               coalesce(CAST(d.time_us + (round.mono_us - d.mono_us)
                   + CAST((round.mono_us - d.mono_us) * rate_ppb / 1000000000 AS INTEGER) AS INTEGER),
                   round.time_us) AS time_us,
               coalesce(d.time_source, 'unknown') AS time_source
        FROM round LEFT JOIN dating AS d ON d.boot = round.boot AND d.from_mono_us =
            (SELECT max(from_mono_us) FROM dating WHERE dating.boot = round.boot AND from_mono_us <= round.mono_us)
    )
);
