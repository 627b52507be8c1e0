# functions that read files
read_csv('@SECRET@')
read_csv_auto('@SECRET@')
read_text('@SECRET@')
read_blob('@SECRET@')
read_json('@SECRET@')
read_json_auto('@SECRET@')
read_ndjson('@SECRET@')
read_parquet('@SECRET@')
parquet_scan('@SECRET@')
parquet_metadata('@SECRET@')
sniff_csv('@SECRET@')
glob('/*')
sqlite_scan('@DATABASE@', 'patients')
postgres_scan('', 'public', 'patients')
iceberg_scan('@OUT@')
pg_read_file('@SECRET@')
pg_ls_dir('/')
pg_stat_file('@SECRET@')
pg_ls_logdir()
fsdir('/')
readfile('@SECRET@')
dblink('dbname=postgres', 'SELECT 1')
# functions that run text, or make rows out of a number
query('SELECT 1')
query('SELECT * FROM duckdb_settings()')
query_table('patients')
query_table(['patients'])
range(10)
generate_series(1, 10)
generate_series(1, 1000000000000)
repeat_row(1, num_rows := 1000000)
unnest([1, 2])
json_each('[1, 2]')
json_tree('[1, 2]')
json_array_elements('[1, 2]')
regexp_split_to_table('a b', ' ')
# settings and catalogs, as functions
duckdb_settings()
duckdb_tables()
duckdb_columns()
duckdb_databases()
duckdb_secrets()
duckdb_extensions()
duckdb_functions()
duckdb_memory()
duckdb_logs()
which_secret('s3://a', 's3')
pragma_database_list()
pragma_database_list
pragma_table_info('patients')
pragma_storage_info('patients')
pragma_show('patients')
pragma_version()
pragma_function_list
pragma_module_list
pragma_compile_options
pg_show_all_settings()
pg_stat_get_activity(NULL)
pg_available_extensions()
# settings and catalogs, as tables
duckdb_tables
duckdb_columns
duckdb_databases
sqlite_master
sqlite_schema
sqlite_temp_master
sqlite_temp_schema
sqlite_sequence
main.sqlite_master
temp.sqlite_master
"sqlite_master"
[sqlite_master]
`sqlite_master`
SQLITE_MASTER
sqlite_stat1
sqlite_dbpage
dbstat
information_schema.tables
information_schema.columns
INFORMATION_SCHEMA.TABLES
pg_catalog.pg_class
pg_catalog.pg_tables
pg_catalog.pg_settings
pg_catalog.pg_authid
pg_catalog.pg_stat_activity
pg_catalog.pg_largeobject
pg_class
pg_tables
pg_settings
pg_authid
pg_shadow
pg_user
pg_roles
pg_stat_activity
pg_hba_file_rules
pg_file_settings
"pg_class"
"pg_catalog"."pg_class"
pg_catalog."pg_class"
# tables of the record that no question is about, schemas, attached databases
film_roots
subject_keys
record_info
record.film_roots
record.main.film_roots
record.main.patients
memory.main.patients
main.film_roots
chartsight.film_roots
chartsight.record_manifest
public.patients
"record"."main"."record_info"
# names like files
'@SECRET@'
"@SECRET@"
`@SECRET@`
[@SECRET@]
'@DATABASE@'
'*.csv'
'/etc/passwd'
"/etc/passwd"
'file:///etc/passwd'
'https://example.org/a.parquet'
's3://bucket/a.parquet'
"a.parquet"
"../patients"
E'/etc/passwd'
# names that look like others
ｐａｔｉｅｎｔｓ_
"pаtients"
"patients​"
"pg_catalog​.pg_class"
U&"\0070g_class"
U&"d\0061t\+000061"
sqlite_maſter
ｓｑｌｉｔｅ_master
# made-up and conditional tables
(DELETE FROM patients RETURNING *)
(TABLE pg_class)
(DESCRIBE patients)
(SHOW TABLES)
(FROM duckdb_settings())
(PRAGMA database_list)
LATERAL (SELECT * FROM pg_class)
LATERAL generate_series(1, 10)
ROWS FROM (generate_series(1, 10))
ONLY pg_class
