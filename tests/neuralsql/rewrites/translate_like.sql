-- A to Z in both cases, and a backslash is a backslash.
select s from t, u where s like 'Ab\_%' or name like s
    duckdb: SELECT t.s AS s FROM t AS t CROSS JOIN u AS u WHERE TRANSLATE(t.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE 'ab\_%' OR TRANSLATE(u.name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE TRANSLATE(t.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
    postgres: SELECT t.s AS s FROM t AS t CROSS JOIN u AS u WHERE TRANSLATE(t.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE 'ab\_%' ESCAPE '' OR TRANSLATE(u.name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE TRANSLATE(t.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') ESCAPE ''
