#include "orch/plugins.hpp"

#include "orch/plugin.h"

#include <dlfcn.h>

// What a plugin sees of a task: the context, and how the plugin said that it ended.
struct orch_plugin_task {
    orch::task_context &context;
    std::optional<orch::json> output;
    std::exception_ptr error;
};

namespace orch {
namespace {

std::string_view text_or_empty(const char *text) { return text ? text : ""; }

template <class E>
void set_error(orch_plugin_task *task, E error)
{
    task->output.reset();
    task->error = std::make_exception_ptr(std::move(error));
}

// No exception may leave these: the caller may be C.
const orch_host host{
    .abi = ORCH_PLUGIN_ABI,
    .size = sizeof(orch_host),
    .stop_requested = [](const orch_plugin_task *task) { return task->context.stop.stop_requested() ? 1 : 0; },
    .seconds_left =
        [](const orch_plugin_task *task) {
            if (!task->context.deadline) return -1.0;
            return std::max(0.0, std::chrono::duration<double>(*task->context.deadline - std::chrono::steady_clock::now()).count());
        },
    .log =
        [](orch_plugin_task *task, const char *line) {
            try {
                task->context.log(text_or_empty(line));
            } catch (...) {
                return;  // a line less, out of memory
            }
        },
    .progress =
        [](orch_plugin_task *task, const char *text) {
            try {
                task->context.progress(json::parse(text_or_empty(text)));
                return 0;
            } catch (...) {
                return 1;
            }
        },
    .complete =
        [](orch_plugin_task *task, const char *text) {
            try {
                task->output = json::parse(text_or_empty(text));
                task->error = nullptr;
            } catch (...) {
                set_error(task, task_error("validation", "invalid_output", "the plugin's output is no JSON"));
            }
        },
    .fail =
        [](orch_plugin_task *task, const char *error_class, const char *code, const char *message) {
            set_error(task, task_error(std::string(text_or_empty(error_class)), std::string(text_or_empty(code)), std::string(text_or_empty(message))));
        },
    .skip = [](orch_plugin_task *task, const char *reason) { set_error(task, skip_task(std::string(text_or_empty(reason)))); },
};

json run_in_plugin(const orch_plugin_handler &handler, task_context &task, const json &input)
{
    orch_plugin_task given{task, {}, {}};
    const auto progress = task.previous_progress.dump(), text = input.dump();
    const orch_plugin_facts facts{.size = sizeof(orch_plugin_facts),
                                  .attempt = task.attempt,
                                  .run_id = task.run_id.c_str(),
                                  .task_id = task.task_id.c_str(),
                                  .idempotency_key = task.idempotency_key.c_str(),
                                  .traceparent = task.traceparent.c_str(),
                                  .previous_progress = progress.c_str()};
    handler.run(handler.state, &host, &given, &facts, text.c_str());
    if (given.error) std::rethrow_exception(given.error);
    if (!given.output) throw task_error("handler", "no_result", "the plugin said nothing of this task");
    return *std::move(given.output);
}

}  // namespace

std::vector<plugin_handler> load_plugin(const std::string &path)
{
    // With a slash, so that it is this file and not one of the same name on the library path.
    const auto file = path.find('/') == path.npos ? "./" + path : path;
    void *library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) throw std::runtime_error("cannot open plugin \"" + path + "\": " + ::dlerror());
    const auto refuse = [&](const std::string &why) { return std::runtime_error("\"" + path + "\" is refused: " + why); };
    const auto *plugin = static_cast<const orch_plugin *>(::dlsym(library, "orch_plugin_entry"));
    if (!plugin) throw refuse("it defines no orch_plugin_entry, so it is no plugin (see orch/plugin.h)");
    if (plugin->abi != ORCH_PLUGIN_ABI)
        throw refuse("it was built for version " + std::to_string(plugin->abi) + " of the plugin interface, and this worker speaks version " +
                     std::to_string(ORCH_PLUGIN_ABI) + "; build it again with this worker's orch/plugin.h");
    if (plugin->size < sizeof(orch_plugin) || plugin->handler_size < sizeof(orch_plugin_handler))
        throw refuse("its structures are shorter than this version's");
    std::vector<plugin_handler> handlers;
    for (uint32_t i = 0; i < plugin->handler_count; ++i) {
        const auto &handler =
            *reinterpret_cast<const orch_plugin_handler *>(reinterpret_cast<const char *>(plugin->handlers) + size_t{i} * plugin->handler_size);
        if (!handler.name || handler.name[0] == '\0' || handler.name[0] == ':' || !handler.run)
            throw refuse("its handler number " + std::to_string(i + 1) + " has no name or no function");
        handlers.push_back({handler.name,
                            [&handler](task_context &task, const json &input) { return run_in_plugin(handler, task, input); },
                            {.concurrency = handler.concurrency}});
    }
    return handlers;
}

}  // namespace orch
