// Paths: what is found in one points into it, and the light check has one answer.

#include "fuzz.hpp"

#include "core/json_path.hpp"

using namespace orch::core;
using orch::fuzz::promise;

void orch::fuzz::one(std::string_view bytes)
{
    for (const PathReference &reference : references(bytes)) {
        if (!reference.after.empty())
            promise(reference.after.data() >= bytes.data() && reference.after.data() + reference.after.size() == bytes.data() + bytes.size(),
                    "the rest of a path is its end");
        promise(reference.task.empty() || reference.root == "tasks", "only tasks are named by an id");
        promise(!reference.task_is_quoted || reference.root == "tasks", "and only they in quotes");
    }
    if (const auto fault = light_path_check(bytes)) promise(!fault->empty(), "a fault has words");
    for (std::size_t i = 0; i < bytes.size(); i++) {
        if (bytes[i] != '"') continue;
        const std::size_t end = end_of_string(bytes, i);
        promise(end == std::string_view::npos || (end > i + 1 && end <= bytes.size() && bytes[end - 1] == '"'), "a string ends at a quote, or not at all");
    }
    if (is_plain_word(bytes)) {
        const std::string path = "$.tasks." + std::string(bytes) + ".output";
        const auto found = references(path);
        promise(found.size() == 1 && found[0].task == bytes, "a plain word is an id without quotes");
    }
}
