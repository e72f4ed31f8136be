-- +goose Up

-- What 00003 left: the columns that copy the body of records that were kept
-- before it and are no issued ones of the last day.
UPDATE records SET
    expires      = CASE WHEN (j->'lifetime'->>'issued')::bigint > 0 THEN time + make_interval(secs => (j->'lifetime'->>'issued')::bigint) END,
    key          = j->>'key',
    subject_jti  = j->'subject'->>'jti',
    actor_issuer = j->'actor'->>'issuer',
    actor        = j->'actor'->>'sub',
    actor_jti    = j->'actor'->>'jti',
    actor_parent = j->>'actorParent'
FROM (SELECT id AS of, convert_from(body, 'UTF8')::jsonb AS j FROM records) AS b
WHERE id = b.of AND (j->'lifetime' ? 'issued' AND expires IS NULL OR j ? 'key' AND key IS NULL OR j->'subject' ? 'jti' AND subject_jti IS NULL
    OR j ? 'actor' AND coalesce(actor_issuer, actor, actor_jti) IS NULL OR j ? 'actorParent' AND actor_parent IS NULL);

-- A record as the writer of a chain hands it over: a batch is one array of
-- these, which costs PostgreSQL a tenth of an array for each column. It is
-- never changed, since writers of an older version may run beside those of a
-- newer one; another form gets another name.
CREATE TYPE record_row AS (
    id           uuid,
    time         timestamptz,
    expires      timestamptz,
    seq          bigint,
    hash         bytea,
    body         bytea,
    targets      text, -- one a line
    decision     text,
    reason       text,
    client       text,
    issuer       text,
    subject      text,
    policy       text,
    jti          text,
    parent       text,
    txn          text,
    key          text,
    subject_jti  text,
    actor_issuer text,
    actor        text,
    actor_jti    text,
    actor_parent text
);

-- +goose Down
DROP TYPE record_row;
