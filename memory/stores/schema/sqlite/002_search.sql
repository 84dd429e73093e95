-- What can be searched: the messages that conversations with a name have now, as far as indexed.
CREATE TABLE memory_documents (
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL,
  place INTEGER NOT NULL,               -- which message, from 0 without the head
  seq INTEGER NOT NULL,                 -- the record that holds it
  item INTEGER NOT NULL,                -- its place in that record, from 0
  length INTEGER NOT NULL,              -- how many terms it has
  scope TEXT NOT NULL,                  -- its owner and its conversation, as terms
  words TEXT NOT NULL,                  -- its terms
  UNIQUE (conversation_id, place)
);
ALTER TABLE memory_conversations ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0; -- up to which record

CREATE VIRTUAL TABLE memory_terms USING fts5 (
  scope, words, content='memory_documents', content_rowid='id', tokenize='ascii', detail='column'
);
CREATE TRIGGER memory_documents_added AFTER INSERT ON memory_documents BEGIN
  INSERT INTO memory_terms (rowid, scope, words) VALUES (new.id, new.scope, new.words);
END;
CREATE TRIGGER memory_documents_removed AFTER DELETE ON memory_documents BEGIN
  INSERT INTO memory_terms (memory_terms, rowid, scope, words)
  VALUES ('delete', old.id, old.scope, old.words);
END;
