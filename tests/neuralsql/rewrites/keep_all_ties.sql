-- Every row that the limit could have meant.
select s from t order by b limit 1
    all ties: SELECT "s" FROM (SELECT "s", RANK() OVER (ORDER BY rows_in_order."key_1") AS lowest_place, COUNT(*) OVER (ORDER BY rows_in_order."key_1") AS highest_place FROM (SELECT t.s AS s, t.b AS key_1 FROM t AS t) AS rows_in_order) AS placed_rows WHERE lowest_place <= 1 AND highest_place > 0

-- A value that could be one of several.
select name from u where k = (select i from t order by b limit 1)
    all ties: SELECT u.name AS name FROM u AS u WHERE u.k IN (SELECT "i" FROM (SELECT "i", RANK() OVER (ORDER BY rows_in_order."key_1") AS lowest_place, COUNT(*) OVER (ORDER BY rows_in_order."key_1") AS highest_place FROM (SELECT t.i AS i, t.b AS key_1 FROM t AS t) AS rows_in_order) AS placed_rows WHERE lowest_place <= 1 AND highest_place > 0)
