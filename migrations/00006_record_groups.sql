-- +goose Up

-- Records that agree in all of these are a group: few for each flow, however
-- many its records. A filter by any of these, or by several, chooses groups and
-- reads the newest of each, so that a record needs an entry in one index and not
-- in one for each filter, and no filter walks past records of others. A group is
-- written before its first record, names nobody, and stays.
CREATE TABLE record_groups (
    id       uuid   PRIMARY KEY, -- digest of the rest
    client   text   NOT NULL,    -- '' and no targets where its records have none, here and below
    issuer   text   NOT NULL,
    policy   text   NOT NULL,
    decision text   NOT NULL,
    reason   text   NOT NULL,
    targets  text[] NOT NULL CHECK (array_position(targets, NULL) IS NULL) -- sorted
);

-- NULL where a replica of an older version wrote the record.
ALTER TABLE records ADD COLUMN group_id uuid;

DROP INDEX records_client, records_issuer, records_subject, records_policy, records_decision, records_reason,
    records_target1, records_target2, records_target3, records_target4;

-- +goose StatementBegin
CREATE FUNCTION record_group(client text, issuer text, policy text, decision text, reason text, targets text[]) RETURNS uuid
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT substr(encode(sha256(convert_to(string_agg(octet_length(part) || ':' || part, '' ORDER BY n), 'UTF8')), 'hex'), 1, 32)::uuid
    FROM unnest(ARRAY[client, issuer, policy, decision, reason] || targets) WITH ORDINALITY AS parts (part, n)
$$;
-- +goose StatementEnd

-- The records of before.
INSERT INTO record_groups
SELECT record_group(client, issuer, policy, decision, reason, targets), client, issuer, policy, decision, reason, targets
FROM (SELECT DISTINCT coalesce(client, '') AS client, coalesce(issuer, '') AS issuer, coalesce(policy, '') AS policy, decision,
        coalesce(reason, '') AS reason, ARRAY(SELECT t FROM unnest(targets) AS t ORDER BY t COLLATE "C") AS targets FROM records) AS alike;
UPDATE records SET group_id = g.id FROM record_groups AS g
WHERE g.client = coalesce(records.client, '') AND g.issuer = coalesce(records.issuer, '') AND g.policy = coalesce(records.policy, '')
    AND g.decision = records.decision AND g.reason = coalesce(records.reason, '') AND g.targets = ARRAY(SELECT t FROM unnest(records.targets) AS t ORDER BY t COLLATE "C");

DROP FUNCTION record_group(text, text, text, text, text, text[]);

CREATE INDEX records_group     ON records (group_id, id);
CREATE INDEX records_subject   ON records (subject, group_id, id) WHERE subject IS NOT NULL;
CREATE INDEX records_ungrouped ON records (id) WHERE group_id IS NULL;

-- +goose Down
DROP INDEX records_group, records_subject, records_ungrouped;
CREATE INDEX records_client   ON records (client, id);
CREATE INDEX records_issuer   ON records (issuer, id) WHERE issuer IS NOT NULL;
CREATE INDEX records_subject  ON records (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX records_policy   ON records (policy, id) WHERE policy IS NOT NULL;
CREATE INDEX records_decision ON records (decision, id);
CREATE INDEX records_reason   ON records (reason, id) WHERE reason IS NOT NULL;
CREATE INDEX records_target1  ON records ((targets[1]), id) WHERE targets[1] IS NOT NULL;
CREATE INDEX records_target2  ON records ((targets[2]), id) WHERE targets[2] IS NOT NULL;
CREATE INDEX records_target3  ON records ((targets[3]), id) WHERE targets[3] IS NOT NULL;
CREATE INDEX records_target4  ON records ((targets[4]), id) WHERE targets[4] IS NOT NULL;
ALTER TABLE records DROP COLUMN group_id;
DROP TABLE record_groups;
