-- All the names of the present are the setting.
select current_time, current_date, current_timestamp
    published: SELECT '2100-12-31 23:59:00', '2100-12-31', '2100-12-31 23:59:00'

-- Functions without a time mean now as well.
select datetime('now', '-1 day'), date(), strftime('%Y'), strftime('%Y', 'now')
    published: SELECT DATETIME('2100-12-31 23:59:00', '-1 day'), DATE('2100-12-31 23:59:00'), STRFTIME('%Y', '2100-12-31 23:59:00'), STRFTIME('%Y', '2100-12-31 23:59:00')
