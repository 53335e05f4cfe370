-- The install script starts here. It runs inside CREATE EXTENSION or ALTER EXTENSION UPDATE only: psql on its own would leave objects that no
-- extension owns, and MODULE_PATHNAME would stay unreplaced.
\echo Use "CREATE EXTENSION orch" to load this file. \quit

-- Names that are not qualified below are those of pg_catalog, whatever path the installing session has.
set local search_path = pg_catalog, pg_temp;
