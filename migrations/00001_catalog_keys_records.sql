-- +goose Up

-- One row a topic: every change of a topic moves its revision by one, in the
-- transaction of the change. Replicas poll this table and are told by NOTIFY.
CREATE TABLE revisions (
    topic    text PRIMARY KEY,
    revision bigint NOT NULL
);
INSERT INTO revisions (topic, revision) VALUES ('catalog', 0), ('keys', 0);

-- What administrators wrote. body is the object's canonical JSON, kept as
-- bytes: what was validated is what is loaded.
CREATE TABLE catalog_objects (
    kind      text   NOT NULL,
    name      text   NOT NULL,
    revision  bigint NOT NULL,             -- of the catalogue, when it was last written
    apply_set text   NOT NULL DEFAULT '',
    body      bytea  NOT NULL,
    digests   text[] NOT NULL DEFAULT '{}', -- of client secrets, never the secrets
    PRIMARY KEY (kind, name)
);

-- Who changed what, when and why. Append-only by grant.
CREATE TABLE catalog_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision   bigint      NOT NULL,
    time       timestamptz NOT NULL,
    changed_by text        NOT NULL,
    reason     text        NOT NULL,
    request_id text        NOT NULL,
    kind       text        NOT NULL,
    name       text        NOT NULL,
    action     text        NOT NULL,
    before     bytea,
    after      bytea
);
CREATE INDEX catalog_changes_object ON catalog_changes (kind, name, id);

-- Keys, each sealed with a data key that is wrapped by a key-encryption key
-- which is not in the database. A key goes next, active, retired; one signs.
CREATE TABLE sealed_keys (
    id          text        PRIMARY KEY,
    purpose     text        NOT NULL,
    algorithm   text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    public_jwk  bytea,
    sealed      bytea       NOT NULL,
    wrapped_key bytea       NOT NULL,
    kek         text        NOT NULL,
    created     timestamptz NOT NULL,
    activated   timestamptz,
    retired     timestamptz
);
CREATE UNIQUE INDEX sealed_keys_one_active ON sealed_keys (purpose, algorithm) WHERE state = 'active';

-- A writer is one chain of records. Who writes it holds the advisory lock of
-- its number and knows its epoch; every claim moves the epoch, so that nothing
-- a former holder still has in flight can be committed. seq and hash are the
-- chain's head, moved in the transaction of the records.
CREATE TABLE writers (
    id      uuid        PRIMARY KEY,
    number  integer     GENERATED ALWAYS AS IDENTITY UNIQUE,
    epoch   bigint      NOT NULL DEFAULT 1,
    seq     bigint      NOT NULL DEFAULT 0,
    hash    bytea       NOT NULL,
    started timestamptz NOT NULL DEFAULT now()
);

-- The exchange records. body, the canonical bytes (RFC 8785), is the truth and
-- holds everything but hash, which is its SHA-256; the other columns are
-- copies, for filters alone.
--
-- id is a UUIDv7 (RFC 9562 §5.7), which begins with the milliseconds of its
-- time: a range of ids is a range of time, the order of ids is the order of
-- time, and the primary key holds over all months.
CREATE TABLE records (
    id       uuid        NOT NULL,
    time     timestamptz NOT NULL,
    decision text        NOT NULL,
    reason   text,
    client   text,
    issuer   text,        -- of the subject token: the trusted issuer's name
    subject  text,        -- mapped
    policy   text,
    targets  text[]      NOT NULL,
    jti      text,        -- of the issued token
    parent   text,        -- exchange that issued the subject token, where it is ours
    txn      text,        -- the root exchange
    writer   uuid        NOT NULL,
    seq      bigint      NOT NULL,
    hash     bytea       NOT NULL,
    body     bytea       NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

-- Each filter has an index in the order of the answer, newest first, without
-- the empty. jti needs none: the jti of an issued token is the exchange's id.
-- The root of a txn is found by id too, so its index holds descendants alone.
CREATE INDEX records_chain    ON records (writer, seq);
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
CREATE INDEX records_txn      ON records (txn, id) WHERE parent IS NOT NULL;

-- Where a month has no partition yet, its records are still kept.
CREATE TABLE records_default PARTITION OF records DEFAULT;

-- Signed statements of a chain's head. Append-only by grant.
CREATE TABLE checkpoints (
    writer uuid        NOT NULL REFERENCES writers,
    seq    bigint      NOT NULL,
    time   timestamptz NOT NULL,
    jws    text        NOT NULL,
    PRIMARY KEY (writer, seq)
);

-- Where each chain begins since retention dropped what was before: the last
-- dropped record. The owner alone writes it.
CREATE TABLE retained (
    writer  uuid        PRIMARY KEY REFERENCES writers,
    seq     bigint      NOT NULL,
    hash    bytea       NOT NULL,
    dropped timestamptz NOT NULL DEFAULT now()
);

-- What may be used once: client assertions, proofs, single-use tokens.
CREATE TABLE replay_claims (
    issuer text        NOT NULL,
    jti    text        NOT NULL,
    until  timestamptz NOT NULL,
    PRIMARY KEY (issuer, jti)
);
CREATE INDEX replay_claims_until ON replay_claims (until);

-- The smallest UUIDv7 of an instant.
-- +goose StatementBegin
CREATE FUNCTION uuid_floor(instant timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
-- +goose StatementEnd

-- Makes the partitions of this month and of those ahead, UTC. The application
-- may call it and has no other DDL. Records that the default partition caught
-- meanwhile move to their month. Returns how many were made.
-- +goose StatementBegin
CREATE FUNCTION make_record_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    made  integer := 0;
    part  text;
    lower uuid;
    upper uuid;
BEGIN
    IF months_ahead NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'months_ahead is %, want 0 to 24', months_ahead;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('strait.make_record_partitions'));
    FOR step IN 0..months_ahead LOOP
        part  := 'records_' || to_char(month + make_interval(months => step), 'YYYY_MM');
        lower := public.uuid_floor((month + make_interval(months => step)) AT TIME ZONE 'UTC');
        upper := public.uuid_floor((month + make_interval(months => step + 1)) AT TIME ZONE 'UTC');
        CONTINUE WHEN to_regclass('public.' || part) IS NOT NULL;
        EXECUTE format('CREATE TABLE public.%I (LIKE public.records INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
        EXECUTE format('WITH moved AS (DELETE FROM public.records_default WHERE id >= $1 AND id < $2 RETURNING *)
                        INSERT INTO public.%I SELECT * FROM moved', part) USING lower, upper;
        EXECUTE format('ALTER TABLE public.records ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', part, lower, upper);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION make_record_partitions(integer) FROM PUBLIC;

-- +goose Down
DROP FUNCTION make_record_partitions(integer);
DROP TABLE replay_claims, retained, checkpoints, records, writers, sealed_keys, catalog_changes, catalog_objects, revisions;
DROP FUNCTION uuid_floor(timestamptz);
