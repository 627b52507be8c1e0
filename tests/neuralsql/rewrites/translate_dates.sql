-- Beginnings and shifts.
select datetime(tm, 'start of year', '-1 year'), datetime(tm, '-14 month'), datetime(tm, '+2 day') from t
    duckdb: SELECT STRFTIME((DATE_TRUNC('YEAR', t.tm) - INTERVAL '12' MONTH), '%Y-%m-%d %H:%M:%S') AS "DATETIME(tm, 'start of year', '-1 year')", STRFTIME((DATE_TRUNC('MONTH', t.tm) - INTERVAL '14' MONTH + (t.tm - DATE_TRUNC('MONTH', t.tm))), '%Y-%m-%d %H:%M:%S') AS "DATETIME(tm, '-14 month')", STRFTIME((t.tm + INTERVAL '2' DAY), '%Y-%m-%d %H:%M:%S') AS "DATETIME(tm, '+2 day')" FROM t AS t
    postgres: SELECT TO_CHAR((DATE_TRUNC('YEAR', t.tm) - INTERVAL '12 MONTH'), 'YYYY-MM-DD HH24:MI:SS') AS "DATETIME(tm, 'start of year', '-1 year')", TO_CHAR((DATE_TRUNC('MONTH', t.tm) - INTERVAL '14 MONTH' + (t.tm - DATE_TRUNC('MONTH', t.tm))), 'YYYY-MM-DD HH24:MI:SS') AS "DATETIME(tm, '-14 month')", TO_CHAR((t.tm + INTERVAL '2 DAY'), 'YYYY-MM-DD HH24:MI:SS') AS "DATETIME(tm, '+2 day')" FROM t AS t

-- Constants are worked out by SQLite: 31 January and a month are 3 March.
select date('2100-01-31', '+1 month'), datetime(current_time, 'start of month')
    duckdb: SELECT '2100-03-03' AS "DATE('2100-01-31', '+1 month')", '2100-12-01 00:00:00' AS "DATETIME('2100-12-31 23:59:00', 'start of month')"
    postgres: SELECT '2100-03-03' AS "DATE('2100-01-31', '+1 month')", '2100-12-01 00:00:00' AS "DATETIME('2100-12-31 23:59:00', 'start of month')"

-- Formats.
select strftime('%Y-%m', tm), strftime('%H h', tm), date(tm), time(tm) from t
    duckdb: SELECT STRFTIME(t.tm, '%Y-%m') AS "STRFTIME('%Y-%m', tm)", STRFTIME(t.tm, '%H h') AS "STRFTIME('%H h', tm)", STRFTIME(t.tm, '%Y-%m-%d') AS "DATE(tm)", STRFTIME(t.tm, '%H:%M:%S') AS "TIME(tm)" FROM t AS t
    postgres: SELECT TO_CHAR(t.tm, 'YYYY-MM') AS "STRFTIME('%Y-%m', tm)", TO_CHAR(t.tm, 'HH24" h"') AS "STRFTIME('%H h', tm)", TO_CHAR(t.tm, 'YYYY-MM-DD') AS "DATE(tm)", TO_CHAR(t.tm, 'HH24:MI:SS') AS "TIME(tm)" FROM t AS t

-- Julian days, as numbers when they are reckoned with.
select julianday(tm), strftime('%J', current_time) - strftime('%J', tm) from t
    duckdb: SELECT CAST(EPOCH_MS(t.tm) + 210866760000000 AS DOUBLE) / 86400000 AS "JULIANDAY(tm)", CAST(2488434.499305556 AS DOUBLE) - CAST(PRINTF('%.9f', (CAST(EPOCH_MS(t.tm) + 210866760000000 AS DOUBLE) / 86400000)) AS DOUBLE) AS "STRFTIME('%J', '2100-12-31 23:59:00') - STRFTIME('%J', tm)" FROM t AS t
    postgres: SELECT CAST(CAST(EXTRACT(EPOCH FROM t.tm) * 1000 AS BIGINT) + 210866760000000 AS DOUBLE PRECISION) / 86400000 AS "JULIANDAY(tm)", CAST(2488434.499305556 AS DOUBLE PRECISION) - CAST(ROUND(CAST(CAST((CAST(CAST(EXTRACT(EPOCH FROM t.tm) * 1000 AS BIGINT) + 210866760000000 AS DOUBLE PRECISION) / 86400000) AS TEXT) AS DECIMAL), 9) AS DOUBLE PRECISION) AS "STRFTIME('%J', '2100-12-31 23:59:00') - STRFTIME('%J', tm)" FROM t AS t

-- Weekdays, and days in the column of dates.
select datetime(d, 'weekday 0') from t
    duckdb: SELECT STRFTIME((CAST(t.d AS TIMESTAMP) + INTERVAL '1' DAY * ((7 + 0 - CAST(EXTRACT(DAYOFWEEK FROM CAST(t.d AS TIMESTAMP)) AS INT)) % 7)), '%Y-%m-%d %H:%M:%S') AS "DATETIME(d, 'weekday 0')" FROM t AS t
    postgres: SELECT TO_CHAR((CAST(t.d AS TIMESTAMP) + INTERVAL '1 DAY' * ((7 + 0 - CAST(EXTRACT(DOW FROM CAST(t.d AS TIMESTAMP)) AS INT)) % 7)), 'YYYY-MM-DD HH24:MI:SS') AS "DATETIME(d, 'weekday 0')" FROM t AS t
