-- Queries whose rows do not depend on how SQLite's rows lie: in stable mode every engine gives what SQLite gives.
-- Tables t and u stand in odd_tables.py.

-- Whole numbers divide to whole numbers; by 0 is null; texts count as the number at their beginning.
select i/2, i/4.0, r/2, 7/2, -7/2, i%3, r%2, 5%0, i/0, r/0 from t;
select i/strftime('%d',tm), (strftime('%Y',tm))/i, strftime('%m',current_time)/5, i%strftime('%d',tm), sum(i/strftime('%H',tm)) over (), -strftime('%Y',tm)/4 from t;
select i*2, i+r, -i, -r, i-1, s+0, s*2, -s, b+1 from t;

-- Text against numbers: affinity decides.
select s, s=20, s>20, i='20', i='abc', i<'abc', i>='20.0', s='20', s<i, i=s, r=s from t;
select row_id from t where s = 20;
select row_id from t where i = '20';
select row_id from t where s = i;
select row_id from t where strftime('%Y', tm) = 2100;
select row_id from t where strftime('%Y', tm) = '2100';
select row_id from t where strftime('%Y', tm) = i;

-- Times are text to SQLite: a column of times makes a number of '2101', and a number is less.
select row_id from t where tm > 5;
select row_id from t where tm < '2101';
select row_id from t where tm < '2101-01-01';
select row_id from t where tm = d;
select row_id from t where d = '2100-01-31';
select row_id from t where tm >= '2100-12-31 23:59:00';
select row_id from t where tm = s;
select row_id from t where d=s;
select row_id from t where tm > strftime('%Y', tm);

-- Time functions; a month too short for the day runs over.
select datetime(tm,'+1 month'), datetime(tm,'-1 month'), datetime(tm,'+1 year'), datetime(tm,'start of year','-0 year'), date(tm,'start of month','+1 month','-1 day'), time(tm) from t;
select date(d), datetime(d), julianday(d), julianday(tm), strftime('%J',tm), strftime('%s',tm), strftime('%w %W',tm), strftime('%H:%M:%S',tm), strftime('%Y-%m-%dT%H',tm), strftime('year %Y of month %m',tm) from t;
select datetime(s), date(s,'+1 day') from t where s like '21%-01%';
select strftime('%J', current_time) - strftime('%J', tm), 24*(strftime('%J',tm)-strftime('%J',d)), strftime('%m',tm)+1, strftime('%Y',tm)*2 from t;
select date('2100-01-31','+1 month'), datetime('2104-02-29','+1 year'), date('now'), julianday('now'), strftime('%j','now'), datetime('garbage') from t;
select datetime(tm,'weekday 0'), date(tm,'+1.5 month'), datetime(tm,'+90 minutes'), datetime(tm,'-1.5 days'), datetime(tm,'+1 month','start of day') from t;

-- LIKE: A to Z in both cases, nothing escapes.
select s from t where s like 'a%';
select s from t where s like '%A_B\%%';
select s from t where s like 'é%';
select row_id from t where i like '2%';
select row_id from t where not s like 'abc';
select row_id from t where r like '%.5';
select row_id from t where tm like '2100-0%';

-- Truth is a number.
select row_id from t where b;
select row_id from t where not b;
select row_id from t where i;
select row_id from t where s;
select row_id from t where not i;
select row_id from t where r and i;
select row_id from t where i or s;
select row_id from t where b = 1;
select row_id from t where b = true;
select row_id from t where b is true;
select i>1, i=1, not i, i is null, i is not null, s is 'abc', i is 20, i in (1,20), i in ('1',20), s in (20,'abc'), i between 1 and 7, i between '1' and 7, i not in (1, null) from t;

-- IN, with nulls.
select row_id from t where i in (select k from u);
select row_id from t where i not in (select k from u where k is not null);
select row_id from t where i not in (select k from u);

-- Aggregates.
select count(*)>0, sum(i), avg(i), sum(r), avg(r), min(i), max(r), count(distinct i), sum(b), max(tm), min(s), max(b), total(r), sum(s), avg(s) from t;
select sum(i) from t where i>100000;
select count(*) from t where 0;
select max(i) from t where 0;
select sum(i)/count(*) from t;
select 1 - count(*)>0 from t;

-- CASE and its relatives.
select case when i>5 then 1 else 0 end, case i when 1 then 'a' when 20 then 'b' end, case s when 20 then 'x' else 'y' end, iif(i>3,r,i), ifnull(i,r), nullif(i,1), coalesce(s,'none'), coalesce(i,r,0) from t;

-- Texts joined, casts, functions.
select s||'x', i||'x', r||'', tm||'', d||'', b||'' from t;
select cast(s as integer), cast(s as real), cast(r as integer), cast(i as text), cast(r as text), cast(tm as text), cast('12.7' as integer), cast(i as real) from t;
select abs(i), abs(r), round(r), round(r,1), length(s), upper(s), lower(s), substr(s,1,2), trim(s), replace(s,'a','b'), instr(s,'b'), max(i,5), min(i,r), length(i), substr(tm,1,4) from t;

-- Groups and windows.
select i, count(*) from t group by i;
select i from t group by i having count(*)>1;
select i, count(*) c from t group by 1 having c>1;
select b, sum(r) from t group by b;
select substr(tm,1,4) y, count(*) from t group by y;
select dense_rank() over (order by i), rank() over (order by i desc), percent_rank() over (order by i), count(*) over (), sum(i) over (partition by b) from t;

-- Joins, commas, outer rows.
select k, i from u left join t on u.k=t.i;
select * from u, t where u.k=t.i;
select count(*) from u join t;
select * from u a, u b join t on t.i=a.k where a.k=b.k;

-- Sets: INTERSECT binds no tighter than UNION.
select i from t union select k from u;
select i from t except select k from u;
select i from t intersect select k from u;
select i from t union all select r from t;
select i from t union select k from u intersect select 7;
select tm from t union select s from t;
select d from t union select tm from t;
select b from t union select i from t;

-- Subqueries, quoted texts, derived tables.
with x as (select i, r from t where i is not null) select x.i, sum(x.r) from x group by x.i;
with x(a) as (select i from t) select a from x where a > 3;
select (select max(amount) from u where u.k=t.i), i from t;
select exists(select 1 from u where u.k=t.i), row_id from t;
select row_id from t where exists (select 1 from u where u.k=t.i and amount>1);
select "abc"=s, s from t;
select row_id from t where s = "abc";
select "i" from t;
select x.y from (select i as y, s from t where s > '2') as x where x.y < '7';
select y from (select strftime('%Y',tm) y from t) where y > 2100;
select y from (select count(*)>3 y from t) where y;

-- Order: nulls are small.
select i from t order by i;
select i from t order by i desc limit 3;
select i, row_id from t order by i limit 4 offset 1;
select distinct i from t order by i desc limit 4;
select row_id from t order by tm desc, row_id limit 3;
select s from t order by s limit 5;
select r from t order by -r limit 3;
select i from t order by i is null, i limit 3;
select i c from t order by c limit 2;
select i, -i c from t order by c limit 3;
select distinct tm from t order by tm limit 3;
select distinct i>3 from t;
select distinct i>3 q from t order by q;
select row_id from t where (select count(*) from u) > 3 and r > 1;
select 1 where 1;
select 'a', null, 1.5, true, 2;
select avg(x) from (select i=1 as x from t);
select max(x), min(x) from (select case when i>3 then 1 else 0 end x from t);
select sum(i>3) from t;
select count(i>3) from t;
select avg(i>3)*100 from t;
select t.* from t where i is not 20;
select row_id from t where i <> 20;
select row_id from t where i == 20;
select row_id from t where i != 20 or i is null;
select row_id from t where (i,r) = (20,20.0);
select row_id from t where +i = '20';
select i from t where i < 2.5 and r > 0;
select row_id from t where tm between '2100-01-01' and '2100-12-31';
select row_id from t where datetime(tm) between datetime('2100-01-01') and datetime('2100-06-01');
select row_id from t where date(tm) = '2100-01-31';
select row_id from t where date(tm) between '2100-01-01' and date('2100-06-01','+1 month');
select row_id from t where datetime(tm) < datetime(tm,'+1 day');
select row_id from t where strftime('%m-%d',tm) = '01-31';
select row_id from t where julianday(tm) - julianday('2100-01-01') < 60;
select k, name, max(amount) from u group by k;
select name, min(amount) from u;
select i, count(*) from t where i=7;
select k+1, count(*) from u group by k;
select +i, - +i, +s + 1 from t where +i < 5 or +s = 20;
