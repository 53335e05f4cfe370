create extension pg_cron;
create extension orch;
