-- Where the terms of a conversation are, so that a lookup reads what is rare and counts nothing.
CREATE TABLE memory_postings (
  conversation_id BIGINT NOT NULL,
  term TEXT COLLATE "C" NOT NULL,       -- a term, or a character and * for all terms that begin with it
  block BIGINT NOT NULL,                -- of 1,024 places: place / 1024
  earlier BIGINT NOT NULL,              -- how many documents of earlier blocks hold it
  documents BIGINT NOT NULL,            -- how many of this one
  places TEXT NOT NULL,                 -- which, in order: place % 1024 in two digits to the base of 32
  PRIMARY KEY (conversation_id, term, block)
);
ALTER TABLE memory_conversations ADD COLUMN documents BIGINT NOT NULL DEFAULT 0; -- how many are indexed
ALTER TABLE memory_conversations ADD COLUMN length BIGINT NOT NULL DEFAULT 0; -- how many terms they have

-- Terms are made in another way now: what was indexed is indexed anew when it is looked for.
TRUNCATE memory_documents;
UPDATE memory_conversations SET indexed = 0;
