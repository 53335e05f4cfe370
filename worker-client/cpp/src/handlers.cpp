#include "executors.hpp"

namespace orch {

outcome ended_early(const leased_task &work)
{
    if (work.interrupted() == leased_task::reason::timed_out) return outcome::failure(error_json("timeout", "timeout", "the handler ran into its timeout"));
    return outcome::failure(error_json("cancelled", "cancelled", "the handler was told to stop"));
}

json thrown_error()
{
    try {
        throw;
    } catch (const task_error &stated) {
        auto error = error_json(stated.error_class, stated.code, stated.what(), stated.detail);
        if (stated.retry_after) error["retry_after_seconds"] = std::chrono::duration<double>(*stated.retry_after).count();
        return error;
    } catch (const error &refused) {
        return error_json(class_of_sqlstate(refused.code), refused.code, refused.what(), refused.detail);
    } catch (const std::exception &thrown) {
        return error_json("handler", "exception", thrown.what());
    } catch (...) {
        return error_json("unknown", "exception", "the handler threw something that is no std::exception");
    }
}

outcome run_handler(leased_task &work, const handler_function &function)
{
    try {
        return outcome::success(work.kept(function(work, work.given())));
    } catch (const skip_task &skipped) {
        return outcome::skip(skipped.what());
    } catch (const task_error &) {
        return outcome::failure(work.kept_error(thrown_error()));
    } catch (const std::exception &) {
        // Asked to stop, it stopped in its own way.
        return work.interrupted() != leased_task::reason::none ? ended_early(work) : outcome::failure(work.kept_error(thrown_error()));
    } catch (...) {
        return outcome::failure(thrown_error());
    }
}

json noop_handler(task_context &, json input) { return input; }

json flaky_handler(task_context &work, json input)
{
    if (!input.is_object()) input = json::object();
    bool fails = work.attempt <= input.value("fail_times", 0);
    if (const double probability = input.value("probability", 0.0); probability > 0) {
        // FNV-1a: the same dice for the same seed, task and attempt, on every machine.
        uint64_t hash = 14695981039346656037ULL;
        for (const char c : std::to_string(input.value("seed", 0)) + "/" + work.idempotency_key + "/" + std::to_string(work.attempt))
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        hash ^= hash >> 32;
        fails = fails || static_cast<double>(hash % 1'000'000) < probability * 1e6;
    }
    if (fails) throw task_error("transient", "flaky", "failed on purpose in attempt " + std::to_string(work.attempt));
    return {{"attempt", work.attempt}};
}

}  // namespace orch
