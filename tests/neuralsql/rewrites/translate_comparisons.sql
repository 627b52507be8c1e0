-- A text against a column of numbers is a number, if it is one.
select row_id from t where i = '20' or i = 'abc'
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE t.i = 20 OR CASE WHEN t.i IS NULL OR 'abc' IS NULL THEN NULL ELSE FALSE END
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE t.i = 20 OR CASE WHEN t.i IS NULL OR 'abc' IS NULL THEN NULL ELSE FALSE END

-- A number against a column of texts is a text.
select row_id from t where s = 20
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE CAST(20 AS TEXT) = t.s
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE CAST(20 AS VARCHAR) = t.s

-- Without affinities a number is less than any text.
select row_id from t where strftime('%Y', tm) > 2100
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE CASE WHEN 2100 IS NULL OR STRFTIME(t.tm, '%Y') IS NULL THEN NULL ELSE TRUE END
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE CASE WHEN 2100 IS NULL OR TO_CHAR(t.tm, 'YYYY') IS NULL THEN NULL ELSE TRUE END

-- A time against a time that is written out, and against the beginning of one.
select row_id from t where tm >= '2100-12-31 23:59:00' and tm < '2101-01'
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE t.tm >= CAST('2100-12-31 23:59:00' AS TIMESTAMP) AND STRFTIME(t.tm, '%Y-%m-%d %H:%M:%S') < '2101-01'
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE t.tm >= CAST('2100-12-31 23:59:00' AS TIMESTAMP) AND TO_CHAR(t.tm, 'YYYY-MM-DD HH24:MI:SS') < '2101-01'

-- The column's affinity makes a number of '2101', and a number is less than a time.
select row_id from t where tm < '2101'
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE CASE WHEN '2101' IS NULL OR t.tm IS NULL THEN NULL ELSE FALSE END
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE CASE WHEN '2101' IS NULL OR t.tm IS NULL THEN NULL ELSE FALSE END

-- Lists of both kinds.
select row_id from t where i in (1, '20')
    duckdb: SELECT t.row_id AS row_id FROM t AS t WHERE (t.i = 1 OR t.i = 20)
    postgres: SELECT t.row_id AS row_id FROM t AS t WHERE (t.i = 1 OR t.i = 20)
