-- What Larder keeps beside Glance's tables. Glance and its tools do not look at these.
-- All databases run this text; DATETIME is written TIMESTAMP for PostgreSQL.

-- A catalogue process that writes data. It is dead when its beat is old, or when its machine says so.
CREATE TABLE IF NOT EXISTS larder_processes (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    pid BIGINT NOT NULL,
    pid_started BIGINT NOT NULL,
    beat_at DATETIME NOT NULL
);

-- An upload under way. Where its object will stand is written down before the object stands there.
CREATE TABLE IF NOT EXISTS larder_uploads (
    image_id VARCHAR(36) NOT NULL PRIMARY KEY,
    process_id VARCHAR(36) NOT NULL,
    url TEXT,
    started_at DATETIME NOT NULL
);
