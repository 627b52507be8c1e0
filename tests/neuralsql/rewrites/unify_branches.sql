-- Times and texts in one column are texts; truth and numbers are numbers.
select tm, b from t union all select s, i from t
    duckdb: SELECT STRFTIME(t.tm, '%Y-%m-%d %H:%M:%S') AS tm, CAST(t.b AS INT) AS b FROM t AS t UNION ALL SELECT t.s AS s, t.i AS i FROM t AS t
    postgres: SELECT TO_CHAR(t.tm, 'YYYY-MM-DD HH24:MI:SS') AS tm, CAST(t.b AS INT) AS b FROM t AS t UNION ALL SELECT t.s AS s, t.i AS i FROM t AS t
