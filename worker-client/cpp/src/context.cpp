#include "code_run.hpp"

#include <random>

namespace orch {
namespace {

double seconds_of(std::chrono::milliseconds duration) { return static_cast<double>(duration.count()) / 1000; }

json fields_of(const step_options &options)
{
    auto fields = options.more ? *options.more : json::object();
    if (options.retries) fields["retries"] = *options.retries;
    if (options.retry_delay_seconds) fields["retry_delay_seconds"] = *options.retry_delay_seconds;
    if (options.retry_max_delay_seconds) fields["retry_max_delay_seconds"] = *options.retry_max_delay_seconds;
    if (options.timeout_seconds) fields["timeout_seconds"] = *options.timeout_seconds;
    if (!options.queue.empty()) fields["queue"] = options.queue;
    if (options.priority) fields["priority"] = *options.priority;
    return fields;
}

}  // namespace

step_error::step_error(std::string id, std::string state, const json &error)
    : task_error(error.value("class", "unknown"), error.value("code", "unknown"), error.value("message", "step " + id + " " + state),
                 error.value("detail", "")),
      id(std::move(id)), state(std::move(state))
{
}

operation<json> context::step(const std::string &name, step_options options)
{
    auto entry = fields_of(options);
    entry["handler"] = name;
    return operation<json>(run_.begin(name, std::move(entry)));
}

operation<json> context::step(const std::string &name, json given, step_options options)
{
    auto entry = fields_of(options);
    entry["handler"] = name;
    entry["input"] = std::move(given);
    return operation<json>(run_.begin(name, std::move(entry)));
}

operation<json> context::start(const std::string &name, json definition, json given)
{
    if (!given.is_null()) definition["input"] = std::move(given);
    return operation<json>(run_.begin(name, std::move(definition)));
}

operation<json> context::step_in_place(const std::string &name, detail::in_place function, step_options options)
{
    return operation<json>(run_.begin_in_place(name, std::move(function), fields_of(options)));
}

operation<void> context::wait(std::chrono::milliseconds duration) { return operation<void>(run_.begin("wait", {{"sleep", seconds_of(duration)}})); }

operation<void> context::wait_until(std::chrono::system_clock::time_point time) { return operation<void>(run_.begin("wait", {{"until", utc_text(time)}})); }

operation<std::optional<json>> context::signal(std::string name, std::optional<std::chrono::milliseconds> timeout)
{
    json entry{{"signal", {{"name", name}}}};
    if (timeout) entry["timeout_seconds"] = seconds_of(*timeout);
    return operation<std::optional<json>>(run_.begin("signal:" + name, std::move(entry)));
}

operation<json> context::child(std::string id, json given, child_options options)
{
    json entry{{"workflow", {{"id", id}, {"wait", options.wait}, {"parent_close", options.parent_close}}}, {"input", std::move(given)}};
    return operation<json>(run_.begin("child:" + id, std::move(entry)));
}

operation<json> context::spawn(orch::task<json> branch) { return operation<json>(run_.begin_branch(std::move(branch))); }

operation<void> context::spawn(orch::task<> branch)
{
    const auto with_value = [](orch::task<> body) -> orch::task<json> {
        co_await std::move(body);
        co_return nullptr;
    };
    return operation<void>(run_.begin_branch(with_value(std::move(branch))));
}

void context::query(std::string name, query_function answer) { run_.add_query(std::move(name), std::move(answer)); }
void context::update(std::string name, update_function handle, update_check check) { run_.add_update(std::move(name), {std::move(handle), std::move(check)}); }
operation<void> context::condition(std::function<bool()> holds) { return operation<void>(run_.begin_condition(std::move(holds))); }

bool context::patched(std::string_view id) { return run_.patched(id); }
void context::log(std::string_view line) { run_.log(line); }
json context::load(const json &value) const { return run_.load(value); }
void context::continue_as_new(json next) { throw detail::code_run::continued{std::move(next)}; }

std::chrono::system_clock::time_point context::now()
{
    const auto recorded =
        run_.value("now", [this] { return json(std::chrono::duration_cast<std::chrono::microseconds>(run_.now().time_since_epoch()).count()); });
    return std::chrono::system_clock::time_point(std::chrono::microseconds(recorded.get<int64_t>()));
}

double context::random()
{
    return run_.value("random", [] {
        static thread_local std::mt19937_64 dice{std::random_device{}()};
        return json(std::uniform_real_distribution<double>()(dice));
    });
}

std::string context::uuid()
{
    return run_.value("uuid", [] {
        std::random_device dice;
        char text[40];
        snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", dice(), dice() & 0xFFFF, dice() & 0xFFF, 0x8000 | (dice() & 0x3FFF), dice() & 0xFFFF,
                 dice());
        return json(text);
    });
}

void context::set_tag(std::string key, json tag) { run_.tag({{std::move(key), std::move(tag)}}); }

}  // namespace orch
