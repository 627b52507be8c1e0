-- Beside one max stands its own row; among equals the first.
select b, s, max(r) from t group by b
    sqlite: SELECT rows_of_groups.c1 AS b, MAX(CASE WHEN rows_of_groups.place = 1 THEN rows_of_groups.c2 END) AS s, MAX(rows_of_groups.c3) AS "MAX(r)" FROM (SELECT t.b AS c1, t.s AS c2, t.r AS c3, ROW_NUMBER() OVER (PARTITION BY t.b ORDER BY t.r IS NULL ASC, t.r DESC, t.row_id ASC) AS place FROM t AS t) AS rows_of_groups GROUP BY rows_of_groups.c1

-- Beside other aggregates the first row of the group.
select s, count(*), sum(r) from t group by i
    sqlite: SELECT MAX(CASE WHEN rows_of_groups.place = 1 THEN rows_of_groups.c1 END) AS s, COUNT(*) AS "COUNT(*)", SUM(rows_of_groups.c2) AS "SUM(r)" FROM (SELECT t.s AS c1, t.r AS c2, t.i AS c3, ROW_NUMBER() OVER (PARTITION BY t.i ORDER BY t.row_id ASC) AS place FROM t AS t) AS rows_of_groups GROUP BY rows_of_groups.c3

-- In HAVING as well.
select i, tm from t group by i having min(tm) = tm
    sqlite: SELECT rows_of_groups.c1 AS i, MAX(CASE WHEN rows_of_groups.place = 1 THEN rows_of_groups.c2 END) AS tm FROM (SELECT t.i AS c1, t.tm AS c2, ROW_NUMBER() OVER (PARTITION BY t.i ORDER BY t.tm IS NULL ASC, t.tm ASC, t.row_id ASC) AS place FROM t AS t) AS rows_of_groups GROUP BY rows_of_groups.c1 HAVING MIN(rows_of_groups.c2) = MAX(CASE WHEN rows_of_groups.place = 1 THEN rows_of_groups.c2 END)
