# casts that look names up in PostgreSQL; to SQLite they are casts to a number
'pg_authid'::regclass
CAST('pg_authid' AS regclass)
CAST('pg_read_file' AS regproc)
'patients'::regclass::oid
CAST('postgres' AS regrole)
CAST('pg_catalog' AS regnamespace)
'pg_authid'::"regclass"
'pg_authid'::pg_catalog.regclass
