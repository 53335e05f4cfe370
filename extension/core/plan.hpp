// A validated definition, compiled for the engine: tasks by number, edges both ways, policies as numbers.
#pragma once

#include "core/circuit.hpp"
#include "core/json.hpp"
#include "core/retry_policy.hpp"
#include "core/trigger_rule.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orch::core {

enum class Executor : uint8_t { handler, command, callable, http, sql, workflow, sleep, until, signal, approval, decision, noop, code, step };

std::string_view executor_name(Executor executor);

/// True for those that the engine runs by itself, with no worker (sql has a runner, which leases like a worker).
bool runs_in_engine(Executor executor);

/// True for those whose one attempt decides: a wait that ran out of time is not begun again, while a child that failed is.
bool has_one_attempt(Executor executor);

struct PlannedTask {
    std::string id;
    std::string name;  // as written, empty where it has none
    Executor executor = Executor::noop;
    std::string handler;  // of the route: a handler's name, or ":command", ":http", ":callable", ":sql", ":code/WORKFLOW@LABEL"; empty for engine executors
    std::string queue;
    int priority = 0;  // added to the run's
    TriggerRule rule = TriggerRule::all_success;
    int at_least = 0;               // for TriggerRule::at_least, else 0
    std::vector<int32_t> parents;   // by task number, ascending
    std::vector<int32_t> children;  // by task number, ascending
    bool is_finally = false;
    int32_t level = 0;                            // longest path from a root, in edges; finally tasks come below the deepest main task
    int32_t join_no = -1;                         // position among the tasks with two or more parents, else -1
    std::string when;                             // SQL/JSON path predicate, empty where there is none
    Json definition;                              // the executor's own value: a string, array or object
    Json input, env, params, metadata, settings;  // null where absent
    bool has_templates = false;                   // anywhere in definition, input, env, params or fallback
    std::vector<int32_t> referenced;              // tasks that its templates and `when` name, by number: the outputs to load
    bool references_input = false;                // whether templates or `when` name `input`
    bool references_run = false;
    RetryPolicy retry;
    double timeout_seconds = 0;  // of an attempt, 0 = none
    std::string circuit;         // its name, empty where the task has none
    CircuitPolicy circuit_policy;
    bool has_fallback = false;  // only with a circuit
    Json fallback;              // the output while the circuit is open; template
};

struct Plan {
    Plan() = default;
    Plan(Plan &&) = default;
    Plan &operator=(Plan &&) = default;
    Plan(const Plan &) = delete;  // by_id points into tasks: a move keeps their addresses, a copy would not

    std::string id;
    std::string name;
    bool fail_fast = true;
    double timeout_seconds = 0;  // of the whole run, 0 = none
    int max_active_runs = 0;     // 0 = no limit
    bool reject_when_full = false;
    int priority = 0;
    Json output;                     // template, null where absent
    std::vector<PlannedTask> tasks;  // main tasks first, in the order of the definition, then the finally tasks
    int32_t main_count = 0;          // tasks before the first finally task
    std::vector<int32_t> order;      // topological, Kahn's algorithm
    int32_t join_count = 0;
    bool is_chain = false;  // at most one task is open at any time: one root, no task with two children or two parents, no finally
    std::unordered_map<std::string_view, int32_t> by_id;  // keys point into tasks

    int32_t find(std::string_view id) const;  // -1 where there is no such task
};

/// One longest path from a root to a leaf, by task number in the order of running; counted in tasks, since nothing tells their durations.
std::vector<int32_t> critical_path(const Plan &plan);

/// Compiles a definition that core::validate found no error in. `spec` is the parsed document.
Plan compile(const Json &spec);

/// Compiles what code started on its way: a task's definition with its id. Nothing in it is a template: the code has filled in all values.
PlannedTask compile_step(const Json &item, const std::string &queue);

}  // namespace orch::core
