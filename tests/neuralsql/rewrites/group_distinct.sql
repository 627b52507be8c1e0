-- Distinct rows in the order of what they do not show: the row with the lowest row_id says where.
select distinct s from t order by tm limit 2
    sqlite: SELECT rows_of_groups.c1 AS s FROM (SELECT t.s AS c1, t.tm AS c2, ROW_NUMBER() OVER (PARTITION BY t.s ORDER BY t.row_id ASC) AS place FROM t AS t) AS rows_of_groups GROUP BY rows_of_groups.c1 ORDER BY MAX(CASE WHEN rows_of_groups.place = 1 THEN rows_of_groups.c2 END), rows_of_groups.c1 ASC LIMIT 2

-- What is shown orders distinct rows by itself.
select distinct s from t order by s limit 2
    sqlite: SELECT DISTINCT t.s AS s FROM t AS t ORDER BY 1 LIMIT 2
