-- Version 3: a store may have the rounds of more than one sink, and clocks that met those of another sink.

-- A round belongs to the sink that made it: `source` is that sink's own journal.
DROP VIEW rounds;
ALTER TABLE round RENAME TO round_2;
CREATE TABLE round (
    source   INTEGER NOT NULL REFERENCES source (id),
    number   INTEGER NOT NULL,
    time_us  INTEGER NOT NULL,
    nodes    INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    boot     INTEGER,
    mono_us  INTEGER,
    PRIMARY KEY (source, number)
) WITHOUT ROWID;
INSERT INTO round
SELECT (SELECT id FROM source WHERE own = 1), number, time_us, nodes, answered, boot, mono_us FROM round_2 ORDER BY number;
DROP TABLE round_2;

-- From which round of that sink to which a node did not answer; no `last_round` while that goes on.
ALTER TABLE round_down RENAME TO round_down_2;
CREATE TABLE round_down (
    source      INTEGER NOT NULL REFERENCES source (id),
    node        TEXT NOT NULL,
    first_round INTEGER NOT NULL,
    last_round  INTEGER,
    PRIMARY KEY (source, node, first_round)
) WITHOUT ROWID;
INSERT INTO round_down
SELECT (SELECT id FROM source WHERE own = 1), node, first_round, last_round FROM round_down_2;
DROP TABLE round_down_2;

-- Whom the clock of a boot dates. Links are rare, so this costs next to nothing.
CREATE INDEX link_here ON link (here);

CREATE VIEW rounds AS
SELECT number,
       strftime('%Y-%m-%dT%H:%M:%S', (time_us - us) / 1000000, 'unixepoch') || printf('.%06dZ', us) AS time,
       nodes, answered, time_us, time_source, node_time_us, mono_us, sink, source
FROM (
    SELECT *, (time_us % 1000000 + 1000000) % 1000000 AS us FROM (
        SELECT number, nodes, answered, round.time_us AS node_time_us, round.mono_us,
               coalesce(CAST(d.time_us + (round.mono_us - d.mono_us)
                   + CAST((round.mono_us - d.mono_us) * rate_ppb / 1000000000 AS INTEGER) AS INTEGER),
                   round.time_us) AS time_us,
               coalesce(d.time_source, 'unknown') AS time_source,
               (SELECT node FROM source WHERE source.id = round.source) AS sink, round.source
        FROM round LEFT JOIN dating AS d ON d.boot = round.boot AND d.from_mono_us =
            (SELECT max(from_mono_us) FROM dating WHERE dating.boot = round.boot AND from_mono_us <= round.mono_us)
    )
);
