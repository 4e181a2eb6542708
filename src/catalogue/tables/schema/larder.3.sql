-- Rows that are changed by every transaction of a Galera cluster that changes a certain image or namespace, so that of two
-- such transactions on two nodes one fails. Elsewhere it stays empty.
CREATE TABLE IF NOT EXISTS larder_turns (
    slot INTEGER NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL
);
