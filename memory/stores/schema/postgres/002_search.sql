-- What can be searched: the messages that conversations with a name have now, as far as indexed.
CREATE TABLE memory_documents (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation_id BIGINT NOT NULL,
  place BIGINT NOT NULL,                -- which message, from 0 without the head
  seq BIGINT NOT NULL,                  -- the record that holds it
  item BIGINT NOT NULL,                 -- its place in that record, from 0
  length BIGINT NOT NULL,               -- how many terms it has
  scope TEXT NOT NULL,                  -- its owner and its conversation, as terms
  words TEXT NOT NULL,                  -- its terms
  terms TSVECTOR NOT NULL GENERATED ALWAYS AS (
    array_to_tsvector(array_remove(string_to_array(scope || ' ' || words, ' '), ''))
  ) STORED,
  UNIQUE (conversation_id, place)
);
ALTER TABLE memory_conversations ADD COLUMN indexed BIGINT NOT NULL DEFAULT 0; -- up to which record
CREATE INDEX ix_memory_documents_terms ON memory_documents USING GIN (terms);
