SELECT count(*) FROM labevents AS a, labevents AS b, labevents AS c, labevents AS d WHERE a.valuenum + b.valuenum + c.valuenum + d.valuenum = 0.123
SELECT max(a.valuenum * b.valuenum * c.valuenum * d.valuenum) FROM labevents AS a CROSS JOIN labevents AS b CROSS JOIN labevents AS c CROSS JOIN labevents AS d
SELECT a.labevent_id FROM labevents AS a, labevents AS b, labevents AS c
SELECT count(DISTINCT a.labevent_id + 7 * b.labevent_id + 11 * c.labevent_id) FROM labevents AS a, labevents AS b, labevents AS c
SELECT a.labevent_id FROM labevents AS a, labevents AS b, labevents AS c ORDER BY a.valuenum * b.valuenum + c.valuenum
