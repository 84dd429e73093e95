-- One row for each log: a conversation with a name, or all inputs of a namespace that begin alike.
CREATE TABLE memory_conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, so a forgotten log is not taken for a new one
  key BLOB NOT NULL UNIQUE,             -- digest of namespace, user, name and root
  owner BLOB NOT NULL,                  -- digest of namespace and user
  namespace TEXT NOT NULL,
  user_id TEXT NOT NULL,                -- '' for nobody in particular
  name TEXT NOT NULL,                   -- '' for callers who send everything themselves
  root TEXT NOT NULL,                   -- for those the hash of the first message, else ''
  created_at REAL NOT NULL           -- seconds since 1970
);
CREATE INDEX ix_memory_conversations_owner ON memory_conversations (owner);

-- Everything that was ever appended, in order; rows are never changed.
CREATE TABLE memory_records (
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,                 -- 1, 2, 3, … within its log
  kind TEXT NOT NULL,                   -- 'turn', 'message', 'compaction' or 'undone'
  messages INTEGER NOT NULL,                  -- how many original messages it holds
  total INTEGER NOT NULL,                     -- how many a conversation with a name has after it
  append TEXT NOT NULL,                 -- which append brought it
  created_at REAL NOT NULL,
  body TEXT NOT NULL,                   -- JSON
  UNIQUE (conversation_id, seq)
);

-- By which hashes the compactions of logs without a name are found.
CREATE TABLE memory_hashes (
  owner BLOB NOT NULL,
  hash TEXT NOT NULL,                   -- hexadecimal
  conversation_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  adopted INTEGER NOT NULL,             -- for how many messages the compaction was made
  PRIMARY KEY (owner, hash, conversation_id, seq)
) WITHOUT ROWID;
CREATE INDEX ix_memory_hashes_adopted ON memory_hashes (owner, adopted);
CREATE INDEX ix_memory_hashes_conversation ON memory_hashes (conversation_id);

-- Who is at work: one turn a conversation, one summary at a time.
CREATE TABLE memory_leases (
  key BLOB NOT NULL,
  purpose TEXT NOT NULL,
  owner BLOB NOT NULL,
  holder TEXT NOT NULL,
  until REAL NOT NULL,                  -- seconds since 1970
  PRIMARY KEY (key, purpose)
) WITHOUT ROWID;
CREATE INDEX ix_memory_leases_owner ON memory_leases (owner);
