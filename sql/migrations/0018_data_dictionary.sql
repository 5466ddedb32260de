-- The contract describes itself: what docs/sql.md and tools with a data catalogue read.

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail_v1.data_dictionary AS
SELECT 'column'::text AS object_type, c.relname::text AS object_name, a.attname::text AS column_name,
       a.attnum::integer AS ordinal, pg_catalog.format_type(a.atttypid, a.atttypmod) AS data_type,
       pg_catalog.col_description(c.oid, a.attnum) AS description
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'modeltrail_v1'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT 'view', c.relname, NULL, NULL, NULL, pg_catalog.obj_description(c.oid, 'pg_class')
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'modeltrail_v1'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT 'function', p.proname, NULL, NULL,
       '(' || pg_catalog.pg_get_function_arguments(p.oid) || ') '
       || pg_catalog.pg_get_function_result(p.oid),
       pg_catalog.obj_description(p.oid, 'pg_proc')
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'modeltrail_v1'::regnamespace;

COMMENT ON VIEW modeltrail_v1.data_dictionary IS
    'One row per view, column and function of the contract, with its meaning.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.object_type IS 'view, column or function.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.object_name IS 'Name of the view or function.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.column_name IS 'Name of the column; NULL for views and functions.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.ordinal IS 'Place of the column, from 1; NULL for views and functions.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.data_type IS
    'Type of the column; of a function its arguments and result; NULL for views.';
COMMENT ON COLUMN modeltrail_v1.data_dictionary.description IS 'What it means, its grain, and what NULL means.';

RESET ROLE;
