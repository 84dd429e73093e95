-- The conversations of a namespace by user and name, as they are listed page by page.
CREATE INDEX ix_memory_conversations_listed ON memory_conversations (namespace, user_id, name);
