-- The fleet: nodes, what they hold, what they are asked to do, and what they are told of.
-- Times are seconds since 1970 by the database's clock. Keys stand in the tables, since not every database can make an
-- index again. EXACT, NUMBERED and LONGTEXT are written as each database has it: texts compared letter for letter, a key
-- that counts by itself, texts of up to 16 MiB.

-- A node. `notice` says that its next beat has more to do than to be noted.
CREATE TABLE IF NOT EXISTS larder_nodes (
    name VARCHAR(253) NOT NULL PRIMARY KEY,
    session_hash VARCHAR(64) NOT NULL,
    beat BIGINT NOT NULL,
    ready BOOLEAN NOT NULL,
    notice BOOLEAN NOT NULL,
    beat_at BIGINT NOT NULL,
    registered_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    address VARCHAR(255),
    version VARCHAR(255) NOT NULL,
    boot_id VARCHAR(255) NOT NULL,
    rules_version BIGINT NOT NULL,
    used_bytes BIGINT NOT NULL,
    free_bytes BIGINT NOT NULL,
    total_bytes BIGINT NOT NULL,
    disk_growth_bytes BIGINT NOT NULL,
    held_count BIGINT NOT NULL,
    queued_count BIGINT NOT NULL,
    fetching_count BIGINT NOT NULL,
    failed_count BIGINT NOT NULL,
    pinned_count BIGINT NOT NULL
) EXACT;

-- The labels of nodes, to select by.
CREATE TABLE IF NOT EXISTS larder_node_labels (
    label VARCHAR(63) NOT NULL,
    value VARCHAR(63) NOT NULL,
    node VARCHAR(253) NOT NULL,
    PRIMARY KEY (label, value, node),
    UNIQUE (node, label)
) EXACT;

-- What nodes hold.
CREATE TABLE IF NOT EXISTS larder_node_images (
    image_id VARCHAR(36) NOT NULL,
    node VARCHAR(253) NOT NULL,
    state VARCHAR(16) NOT NULL,
    size_bytes BIGINT NOT NULL,
    done_bytes BIGINT,
    pinned BOOLEAN NOT NULL,
    digest VARCHAR(255),
    why TEXT,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (image_id, node),
    UNIQUE (node, image_id)
) EXACT;

-- What was asked for. `ended` is empty until it is cancelled, or has expired, or is closed after its time.
CREATE TABLE IF NOT EXISTS larder_jobs (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    action VARCHAR(16) NOT NULL,
    images TEXT NOT NULL,
    targets LONGTEXT NOT NULL,
    priority BIGINT NOT NULL,
    user_id VARCHAR(255),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended VARCHAR(16),
    UNIQUE (created_at, id)
) EXACT;

-- One image of a job on one node; `beat` is the beat whose answer handed it out.
CREATE TABLE IF NOT EXISTS larder_job_nodes (
    job_id VARCHAR(36) NOT NULL,
    node VARCHAR(253) NOT NULL,
    image_id VARCHAR(36) NOT NULL,
    state VARCHAR(16) NOT NULL,
    beat BIGINT NOT NULL,
    why TEXT,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, node, image_id),
    UNIQUE (node, state, job_id, image_id)
) EXACT;

-- Prefetch rules, as JSON.
CREATE TABLE IF NOT EXISTS larder_rules (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) EXACT;

-- The change feed. Rows are written with the change itself and so come to sight in any order; `seq` is given to those in
-- sight, by one transaction at a time, and is what readers go by.
CREATE TABLE IF NOT EXISTS larder_changes (
    id NUMBERED,
    seq BIGINT UNIQUE,
    event VARCHAR(32) NOT NULL,
    happened_at BIGINT NOT NULL,
    image_id VARCHAR(36),
    job_id VARCHAR(36),
    node VARCHAR(253)
) EXACT;

-- Counters: `feed` is the last `seq`, `pruned` the last one that is gone, `rules` the version of the rules.
CREATE TABLE IF NOT EXISTS larder_counters (
    name VARCHAR(16) NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) EXACT;
