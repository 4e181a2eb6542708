"""A database of MariaDB or MySQL with the tables of another one, which is faster than making them step by step.

database.py make SERVER NAME      : a new database on mysql://user[:password]@host[:port]/…; prints SQLAlchemy's URL of it
database.py drop SERVER NAME
database.py version SERVER        : prints the server's version
database.py dump SERVER NAME FILE : all that is in it
database.py load SERVER NAME FILE
"""
import json
import sys
from urllib.parse import unquote, urlsplit

import pymysql

verb, server, *rest = sys.argv[1:]
at = urlsplit(server)


def connect(name):
    return pymysql.connect(host=at.hostname, port=at.port or 3306, user=unquote(at.username or 'root'),
                           password=unquote(at.password or ''), database=name, autocommit=True)


db = connect(rest[0] if verb in ('dump', 'load') else None)
cursor = db.cursor()
if verb == 'make':
    cursor.execute(f'CREATE DATABASE {rest[0]} CHARACTER SET utf8mb3')
    print(f'mysql+pymysql://{at.netloc}/{rest[0]}')
elif verb == 'drop':
    cursor.execute(f'DROP DATABASE IF EXISTS {rest[0]}')
elif verb == 'version':
    cursor.execute('SELECT VERSION()')
    print(cursor.fetchone()[0])
elif verb == 'dump':
    cursor.execute('SHOW TABLES')
    lines = []
    for (table,) in cursor.fetchall():
        cursor.execute(f'SHOW CREATE TABLE {table}')
        lines.append(cursor.fetchone()[1])
        cursor.execute(f'SELECT * FROM {table}')
        for row in cursor.fetchall():
            lines.append(f'INSERT INTO {table} VALUES ({", ".join(db.escape(it) for it in row)})')
    with open(rest[1], 'w') as file:
        json.dump(lines, file)
elif verb == 'load':
    # Tables refer to tables that come later.
    cursor.execute('SET foreign_key_checks = 0')
    with open(rest[1]) as file:
        for line in json.load(file):
            cursor.execute(line)
