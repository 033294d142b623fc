-- Virtual keys. The key itself is never stored: `hash` is its SHA-256, which is
-- enough because a key has 256 random bits.
CREATE TABLE virtual_key (
    id          TEXT    NOT NULL PRIMARY KEY,
    hash        TEXT    NOT NULL UNIQUE,
    owner       TEXT    NOT NULL,
    allowed     TEXT    NOT NULL,
    created_ms  BIGINT  NOT NULL,
    expires_ms  BIGINT,
    revoked_ms  BIGINT
);
