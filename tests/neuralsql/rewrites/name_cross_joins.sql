-- A comma beside joins.
select u.k from u, t join u as w on w.k = t.i
    duckdb: SELECT u.k AS k FROM u AS u CROSS JOIN t AS t JOIN u AS w ON w.k = t.i
    postgres: SELECT u.k AS k FROM u AS u CROSS JOIN t AS t JOIN u AS w ON w.k = t.i

-- A join without a condition.
select k from u join t
    duckdb: SELECT u.k AS k FROM u AS u JOIN t AS t ON TRUE
    postgres: SELECT u.k AS k FROM u AS u JOIN t AS t ON TRUE
