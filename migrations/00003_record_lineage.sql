-- +goose Up

-- What revocation needs of a record: until when the issued token holds, the key
-- that signed it, and which tokens it was made from. Copies of the body, as the
-- others; NULL where the record has none.
ALTER TABLE records
    ADD COLUMN expires      timestamptz, -- of the issued token
    ADD COLUMN key          text,        -- kid of its signature
    ADD COLUMN subject_jti  text,
    ADD COLUMN actor_issuer text,        -- the trusted issuer's name
    ADD COLUMN actor        text,        -- mapped
    ADD COLUMN actor_jti    text,
    ADD COLUMN actor_parent text;        -- exchange that issued the actor token, where it is ours

-- The copies for the records of before; each body is read once.
UPDATE records SET
    expires      = CASE WHEN (j->'lifetime'->>'issued')::bigint > 0 THEN time + make_interval(secs => (j->'lifetime'->>'issued')::bigint) END,
    key          = j->>'key',
    subject_jti  = j->'subject'->>'jti',
    actor_issuer = j->'actor'->>'issuer',
    actor        = j->'actor'->>'sub',
    actor_jti    = j->'actor'->>'jti',
    actor_parent = j->>'actorParent'
FROM (SELECT id AS of, convert_from(body, 'UTF8')::jsonb AS j FROM records) AS b
WHERE id = b.of AND (j->'lifetime' ? 'issued' OR j->'subject' ? 'jti' OR j ? 'actor');

-- The tree of a root is walked by parent, as descendants are: the index by txn
-- said the same a second time.
DROP INDEX records_txn;
CREATE INDEX records_parent       ON records (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX records_actor_parent ON records (actor_parent, id) WHERE actor_parent IS NOT NULL;

INSERT INTO revisions (topic, revision) VALUES ('revocations', 0);

-- +goose Down
DELETE FROM revisions WHERE topic = 'revocations';
DROP INDEX records_parent, records_actor_parent;
CREATE INDEX records_txn ON records (txn, id) WHERE parent IS NOT NULL;
ALTER TABLE records
    DROP COLUMN expires, DROP COLUMN key, DROP COLUMN subject_jti, DROP COLUMN actor_issuer, DROP COLUMN actor,
    DROP COLUMN actor_jti, DROP COLUMN actor_parent;
