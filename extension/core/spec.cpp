#include "core/spec.hpp"

#include <utility>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

TextUse use_of_http_field(std::string_view key)
{
    if (key == "headers" || key == "body") return TextUse::filled_by_worker;
    return key == "url" ? TextUse::url : TextUse::value;
}

/// An object's text, each member written by `write(key, value)`.
template <class Write>
std::string object_of(const Json &object, const Write &write)
{
    std::string out = "{";
    const char *separator = "";
    for (const auto &[key, value] : object.get_ref<const Json::object_t &>()) {
        out += std::exchange(separator, ",");
        out += to_text(std::string_view(key)) + ':' + write(key, value);
    }
    return out + '}';
}

/// Each value of a task's spec with what it is used for.
template <class Write>
std::string write_spec(const PlannedTask &task, const Write &write)
{
    const bool is_request = task.executor == Executor::http && task.definition.is_object();
    return object_of(spec_of(task), [&](std::string_view key, const Json &value) {
        if (is_request && key == "http")
            return object_of(value, [&](std::string_view field, const Json &element) { return write(element, use_of_http_field(field)); });
        return write(value, key == "env" ? TextUse::filled_by_worker : TextUse::value);
    });
}

}  // namespace

Json spec_of(const PlannedTask &task)
{
    Json spec = Json::object();
    spec[std::string(executor_name(task.executor))] = task.definition;
    if (!task.params.is_null()) spec["params"] = task.params;
    if (!task.settings.is_null()) spec["settings"] = task.settings;
    if (!task.env.is_null()) spec["env"] = task.env;
    if (task.timeout_seconds > 0) spec["timeout_seconds"] = task.timeout_seconds;
    if (!task.metadata.is_null()) spec["metadata"] = task.metadata;
    return spec;
}

std::string render_spec(const PlannedTask &task, const Resolver &resolver)
{
    return write_spec(task, [&](const Json &value, TextUse use) { return render(value, resolver, use); });
}

std::string spec_of_values(const PlannedTask &task)
{
    return write_spec(task, [](const Json &value, TextUse use) { return use == TextUse::filled_by_worker ? values_for_worker(value) : to_text(value); });
}

}  // namespace orch::core
