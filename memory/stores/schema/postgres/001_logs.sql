-- One row for each log: a conversation with a name, or all inputs of a namespace that begin alike.
CREATE TABLE memory_conversations (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never given twice
  key BYTEA NOT NULL UNIQUE,            -- digest of namespace, user, name and root
  owner BYTEA NOT NULL,                 -- digest of namespace and user
  namespace TEXT COLLATE "C" NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL,    -- '' for nobody in particular
  name TEXT COLLATE "C" NOT NULL,       -- '' for callers who send everything themselves
  root TEXT NOT NULL,                   -- for those the hash of the first message, else ''
  created_at DOUBLE PRECISION NOT NULL  -- seconds since 1970
);
CREATE INDEX ix_memory_conversations_owner ON memory_conversations (owner);

-- Everything that was ever appended, in order; rows are never changed.
CREATE TABLE memory_records (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  conversation_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,                  -- 1, 2, 3, … within its log
  kind TEXT NOT NULL,                   -- 'turn', 'message', 'compaction' or 'undone'
  messages BIGINT NOT NULL,                   -- how many original messages it holds
  total BIGINT NOT NULL,                      -- how many a conversation with a name has after it
  append TEXT NOT NULL,                 -- which append brought it
  created_at DOUBLE PRECISION NOT NULL,
  body TEXT NOT NULL,                   -- JSON; json and jsonb refuse some of what users send
  PRIMARY KEY (conversation_id, seq)
);

-- By which hashes the compactions of logs without a name are found.
CREATE TABLE memory_hashes (
  owner BYTEA NOT NULL,
  hash TEXT NOT NULL,                   -- hexadecimal
  conversation_id BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  adopted BIGINT NOT NULL,              -- for how many messages the compaction was made
  PRIMARY KEY (owner, hash, conversation_id, seq)
);
CREATE INDEX ix_memory_hashes_adopted ON memory_hashes (owner, adopted);
CREATE INDEX ix_memory_hashes_conversation ON memory_hashes (conversation_id);

-- Who is at work: one turn a conversation, one summary at a time.
CREATE TABLE memory_leases (
  key BYTEA NOT NULL,
  purpose TEXT NOT NULL,
  owner BYTEA NOT NULL,
  holder TEXT NOT NULL,
  until DOUBLE PRECISION NOT NULL,      -- seconds since 1970
  PRIMARY KEY (key, purpose)
);
CREATE INDEX ix_memory_leases_owner ON memory_leases (owner);
