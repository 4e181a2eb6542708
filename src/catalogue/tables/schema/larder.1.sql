-- What Larder keeps beside Glance's tables. Glance and its tools do not look at these.

CREATE TABLE larder_version (
    version INTEGER NOT NULL
);

-- A catalogue process that writes data. It is dead when its beat is old, or when its machine says so.
CREATE TABLE larder_processes (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    beat_at DATETIME NOT NULL
);

-- An upload under way. Where its object will stand is written down before the object stands there.
CREATE TABLE larder_uploads (
    image_id VARCHAR(36) NOT NULL PRIMARY KEY,
    process_id VARCHAR(36) NOT NULL,
    url TEXT,
    started_at DATETIME NOT NULL
);

CREATE INDEX larder_uploads_process_id ON larder_uploads (process_id);

INSERT INTO larder_version (version) VALUES (1);
