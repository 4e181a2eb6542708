-- An import under way, or one that waits for a process. Where its objects will stand is written down before one stands
-- there. `order_json` is what was asked for; `staging_id` names the staging folder that has the data, if it is staged.
CREATE TABLE IF NOT EXISTS larder_imports (
    image_id VARCHAR(36) NOT NULL PRIMARY KEY,
    task_id VARCHAR(36) NOT NULL,
    process_id VARCHAR(36),
    staging_id VARCHAR(36),
    attempts BIGINT NOT NULL,
    order_json TEXT NOT NULL,
    urls TEXT,
    created_at DATETIME NOT NULL
);

-- Data that is staged, whole, and waits for its import: in which staging folder.
CREATE TABLE IF NOT EXISTS larder_staged (
    image_id VARCHAR(36) NOT NULL PRIMARY KEY,
    staging_id VARCHAR(36) NOT NULL,
    staged_at DATETIME NOT NULL
);
