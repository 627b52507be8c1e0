-- A subquery in the place of a value has its first row.
select name from u where k = (select i from t where b)
    sqlite: SELECT u.name AS name FROM u AS u WHERE u.k = (SELECT t.i AS i FROM t AS t WHERE t.b ORDER BY t.row_id ASC LIMIT 1)
    postgres: SELECT u.name AS name FROM u AS u WHERE u.k = (SELECT t.i AS i FROM t AS t WHERE t.b ORDER BY t.row_id ASC NULLS FIRST LIMIT 1)

-- An aggregate has one row.
select name from u where k = (select max(i) from t)
    sqlite: SELECT u.name AS name FROM u AS u WHERE u.k = (SELECT MAX(t.i) AS _col_0 FROM t AS t)
    postgres: SELECT u.name AS name FROM u AS u WHERE u.k = (SELECT MAX(t.i) AS _col_0 FROM t AS t)
