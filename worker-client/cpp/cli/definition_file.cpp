#include "definition_file.hpp"

#include "session.hpp"

#include "orch/yaml.hpp"

namespace orch::cli {

std::string definition_in(const std::string &file, const std::string &format)
{
    auto text = read_file(file);
    const auto ends = [&](std::string_view tail) { return file.ends_with(tail); };
    bool json = format == "json" || (format == "auto" && ends(".json"));
    if (format == "auto" && !ends(".json") && !ends(".yaml") && !ends(".yml")) {
        const auto first = text.find_first_not_of(" \t\r\n");
        json = first != text.npos && (text[first] == '{' || text[first] == '[');
    }
    try {
        return json ? text : yaml_to_json(text);
    } catch (const yaml_error &wrong) {
        throw error("22P02", "\"" + file + "\" is refused as YAML: " + wrong.what(), "", "The core schema of YAML 1.2 holds; --format json reads it as JSON.");
    }
}

}  // namespace orch::cli
