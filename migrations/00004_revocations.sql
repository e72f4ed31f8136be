-- +goose Up

-- What was ordered to hold no more: by whom, when, why. Append-only by grant.
CREATE TABLE revocations (
    id         uuid        PRIMARY KEY,     -- a UUIDv7, so that the order of ids is that of time
    revision   bigint      NOT NULL UNIQUE, -- of the topic 'revocations', that the order made
    time       timestamptz NOT NULL,
    given_by   text        NOT NULL,
    reason     text        NOT NULL,
    request_id text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('token', 'exchange', 'subject', 'client', 'policy', 'issuer', 'key')),
    issuer     text        NOT NULL,        -- of a token or a subject
    value      text        NOT NULL,        -- jti, exchange id, mapped subject, name or kid
    before     timestamptz NOT NULL,        -- what has a later iat is not meant
    cascade    boolean     NOT NULL,        -- what was derived is meant too
    tokens     integer     NOT NULL,        -- unexpired tokens of ours that it revoked
    until      timestamptz NOT NULL         -- from then on nothing that it reaches can be alive
);

-- The tokens of ours that an order revoked. The application inserts, and
-- forgets those whose time is over by prune_revoked alone.
CREATE TABLE revoked (
    id         uuid        NOT NULL, -- jti: the exchange that issued it
    revocation uuid        NOT NULL, -- written before the order itself
    until      timestamptz NOT NULL, -- from then on it is refused anyway
    PRIMARY KEY (id, revocation)
);
CREATE INDEX revoked_revocation ON revoked (revocation);

-- What may still be alive is found by its end.
CREATE INDEX records_expires ON records (expires) WHERE expires IS NOT NULL;

-- Forgets what is over since an hour: the clocks of replicas differ. Returns
-- how many there were.
-- +goose StatementBegin
CREATE FUNCTION prune_revoked() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (DELETE FROM public.revoked WHERE until < now() - interval '1 hour' RETURNING 1)
    SELECT count(*) FROM gone
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION prune_revoked() FROM PUBLIC;

-- +goose Down
DROP FUNCTION prune_revoked();
DROP INDEX records_expires;
DROP TABLE revoked, revocations;
