// The settings orch.*, as C variables that PostgreSQL keeps up to date. Defined and described in orch.cpp.
#pragma once

namespace orch::settings {

extern int ready_memory_kb;  // orch.ready_memory
extern int max_result_bytes;
extern int max_spec_bytes;
extern int default_lease_time_ms;
extern int heartbeat_interval_ms;
extern int sql_workers;  // per role whose SQL tasks are waiting
extern int expression_timeout_ms;
extern int timeout_grace_ms;
extern int log_plan_min_duration_ms;  // -1: never
extern bool test_clock;
extern bool hold_on_promotion;
extern char *tenant;
extern char *token;
extern int http_rate, http_anonymous_rate;  // a minute; 0 = no limit
extern int http_burst_s;
extern char *redis_url;  // empty: no hints are sent

/// Defines them all; at _PG_init.
void define();

}  // namespace orch::settings
