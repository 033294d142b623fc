-- The key by which a key was made, and a number that every change of keys moves
-- on, so that other nodes see it by one short question.
ALTER TABLE virtual_key ADD COLUMN made_by TEXT;
CREATE TABLE key_change (id BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL);
INSERT INTO key_change (id, number) VALUES (1, 1);
