-- By row_id.
select s from t order by tm desc limit 1
    sqlite: SELECT t.s AS s FROM t AS t ORDER BY t.tm DESC, t.row_id ASC LIMIT 1
    duckdb: SELECT t.s AS s FROM t AS t ORDER BY t.tm DESC, t.row_id ASC NULLS FIRST LIMIT 1
    postgres: SELECT t.s AS s FROM t AS t ORDER BY t.tm DESC NULLS LAST, t.row_id ASC NULLS FIRST LIMIT 1

-- Without row_id by all columns.
select name from u order by amount limit 2
    sqlite: SELECT u.name AS name FROM u AS u ORDER BY u.amount, u.k ASC, u.name ASC LIMIT 2
    duckdb: SELECT u.name AS name FROM u AS u ORDER BY u.amount NULLS FIRST, u.k ASC NULLS FIRST, u.name ASC NULLS FIRST LIMIT 2
    postgres: SELECT u.name AS name FROM u AS u ORDER BY u.amount NULLS FIRST, u.k ASC NULLS FIRST, u.name ASC NULLS FIRST LIMIT 2

-- Groups by what they are grouped by.
select i, count(*) from t group by i order by count(*) desc limit 3
    sqlite: SELECT t.i AS i, COUNT(*) AS "COUNT(*)" FROM t AS t GROUP BY t.i ORDER BY "COUNT(*)" DESC, t.i ASC LIMIT 3
    duckdb: SELECT t.i AS i, COUNT(*) AS "COUNT(*)" FROM t AS t GROUP BY t.i ORDER BY "COUNT(*)" DESC, t.i ASC NULLS FIRST LIMIT 3
    postgres: SELECT t.i AS i, COUNT(*) AS "COUNT(*)" FROM t AS t GROUP BY t.i ORDER BY "COUNT(*)" DESC NULLS LAST, t.i ASC NULLS FIRST LIMIT 3

-- Sets by their columns.
select i from t union select k from u order by i limit 2
    sqlite: SELECT t.i AS i FROM t AS t UNION SELECT u.k AS k FROM u AS u ORDER BY 1 LIMIT 2
    duckdb: SELECT t.i AS i FROM t AS t UNION SELECT u.k AS k FROM u AS u ORDER BY 1 NULLS FIRST LIMIT 2
    postgres: SELECT t.i AS i FROM t AS t UNION SELECT u.k AS k FROM u AS u ORDER BY 1 NULLS FIRST LIMIT 2

-- Numbered rows; ranks need no order of their own.
select row_number() over (order by i), dense_rank() over (order by i) from t
    sqlite: SELECT ROW_NUMBER() OVER (ORDER BY t.i, t.row_id ASC) AS "ROW_NUMBER() OVER (ORDER BY i)", DENSE_RANK() OVER (ORDER BY t.i) AS "DENSE_RANK() OVER (ORDER BY i)" FROM t AS t
    duckdb: SELECT ROW_NUMBER() OVER (ORDER BY t.i NULLS FIRST, t.row_id ASC NULLS FIRST) AS "ROW_NUMBER() OVER (ORDER BY i)", DENSE_RANK() OVER (ORDER BY t.i NULLS FIRST) AS "DENSE_RANK() OVER (ORDER BY i)" FROM t AS t
    postgres: SELECT ROW_NUMBER() OVER (ORDER BY t.i NULLS FIRST, t.row_id ASC NULLS FIRST) AS "ROW_NUMBER() OVER (ORDER BY i)", DENSE_RANK() OVER (ORDER BY t.i NULLS FIRST) AS "DENSE_RANK() OVER (ORDER BY i)" FROM t AS t
