-- +goose Up

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
