-- Whose a node's name is: the agent, by the hash of a secret of its own, and the user as whom it has logged in.
CREATE TABLE IF NOT EXISTS larder_node_owners (
    node VARCHAR(253) NOT NULL PRIMARY KEY,
    instance_hash VARCHAR(64),
    user_id VARCHAR(255)
) EXACT;
