-- Columns have tables, stars are spelled out, an alias is what it stands for, a result is called as SQLite calls it.
select name, k + 1, x.* from u, (select i from t) as x where k + 1 > 2
    sqlite: SELECT u.name AS name, u.k + 1 AS "k + 1", x.i AS i FROM u AS u, (SELECT t.i AS i FROM t AS t) AS x WHERE u.k + 1 > 2

-- An alias in WHERE and GROUP BY.
select i * 2 as double, count(*) from t where double > 2 group by double
    sqlite: SELECT t.i * 2 AS double, COUNT(*) AS "COUNT(*)" FROM t AS t WHERE (t.i * 2) > 2 GROUP BY t.i * 2
