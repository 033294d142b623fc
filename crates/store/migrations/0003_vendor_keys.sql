-- When each vendor's own key was seen first and used last. The key itself is
-- never stored: `fingerprint` is a keyed hash of it.
CREATE TABLE vendor_key (
    vendor       TEXT    NOT NULL,
    fingerprint  TEXT    NOT NULL,
    seen_ms      BIGINT  NOT NULL,
    used_ms      BIGINT,
    PRIMARY KEY (vendor, fingerprint)
);
