-- The vault of redacted values. Nothing in it is in the clear: `token` and
-- `person` are keyed marks, `sealed` is a sealed value, `wrapped` is the key
-- that opens it, itself wrapped by a key that is not here. A person's values
-- go with that person's row.
CREATE TABLE vault_root (
    id       BIGINT  NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    wrapped  TEXT    NOT NULL
);
CREATE TABLE vault_person (
    name     TEXT    NOT NULL PRIMARY KEY,
    scope    TEXT    NOT NULL,
    person   TEXT    NOT NULL,
    wrapped  TEXT    NOT NULL,
    used_ms  BIGINT  NOT NULL,
    UNIQUE (scope, person)
);
CREATE INDEX vault_person_person ON vault_person (person);
CREATE TABLE vault_entry (
    token       TEXT    NOT NULL,
    key_name    TEXT    NOT NULL REFERENCES vault_person (name) ON DELETE CASCADE,
    scope       TEXT    NOT NULL,
    sealed      TEXT    NOT NULL,
    expires_ms  BIGINT  NOT NULL,
    PRIMARY KEY (token, key_name)
);
CREATE INDEX vault_entry_key ON vault_entry (key_name);
CREATE INDEX vault_entry_scope ON vault_entry (scope);
CREATE INDEX vault_entry_expires ON vault_entry (expires_ms);
