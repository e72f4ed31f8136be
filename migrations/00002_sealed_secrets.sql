-- +goose Up

-- Secrets that Strait itself must present, such as the one of an introspection
-- endpoint: by the JSON Pointer of their field, each sealed by the key ring for
-- this object and field (base64).
ALTER TABLE catalog_objects ADD COLUMN sealed jsonb;

-- +goose Down
ALTER TABLE catalog_objects DROP COLUMN sealed;
