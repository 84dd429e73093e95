-- Where the terms of a conversation are, so that a lookup reads what is rare and counts nothing.
CREATE TABLE memory_postings (
  conversation_id INTEGER NOT NULL,
  term TEXT NOT NULL,                   -- a term, or a character and * for all terms that begin with it
  block INTEGER NOT NULL,               -- of 1,024 places: place / 1024
  earlier INTEGER NOT NULL,             -- how many documents of earlier blocks hold it
  documents INTEGER NOT NULL,           -- how many of this one
  places TEXT NOT NULL,                 -- which, in order: place % 1024 in two digits to the base of 32
  PRIMARY KEY (conversation_id, term, block)
) WITHOUT ROWID;
ALTER TABLE memory_conversations ADD COLUMN documents INTEGER NOT NULL DEFAULT 0; -- how many are indexed
ALTER TABLE memory_conversations ADD COLUMN length INTEGER NOT NULL DEFAULT 0; -- how many terms they have

-- Terms are made in another way now: what was indexed is indexed anew when it is looked for.
DROP TRIGGER memory_documents_removed;
DELETE FROM memory_documents;
INSERT INTO memory_terms (memory_terms) VALUES ('delete-all');
CREATE TRIGGER memory_documents_removed AFTER DELETE ON memory_documents BEGIN
  INSERT INTO memory_terms (memory_terms, rowid, scope, words)
  VALUES ('delete', old.id, old.scope, old.words);
END;
UPDATE memory_conversations SET indexed = 0;
