#include "secrets.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace orch {
namespace {

std::string_view without_blanks(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
    return first == text.npos ? std::string_view() : text.substr(first, last - first + 1);
}

/// What may be a file's name and nothing else.
bool is_plain(const std::string &name)
{
    return !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

}  // namespace

std::optional<std::string> find_secret(const std::string &directory, const std::string &name)
{
    if (const char *value = std::getenv(("ORCH_SECRET_" + name).c_str())) return value;
    if (directory.empty() || !is_plain(name)) return std::nullopt;
    std::ifstream file(directory + "/" + name, std::ios::binary);
    if (!file) return std::nullopt;
    std::string value{std::istreambuf_iterator<char>(file), {}};
    if (value.ends_with('\n')) value.pop_back();
    if (value.ends_with('\r')) value.pop_back();
    return value;
}

std::string secret_filler::fill(std::string_view text)
{
    std::string filled;
    for (size_t open; (open = text.find("{{")) != text.npos;) {
        const auto close = text.find("}}", open);
        if (close == text.npos) break;
        const auto inside = without_blanks(text.substr(open + 2, close - open - 2));
        filled += text.substr(0, open);
        if (inside == "'{'") {
            filled += '{';
        } else if (inside.starts_with("secrets.")) {
            const std::string name(inside.substr(8));
            auto secret = lookup_(name);
            if (!secret)
                throw task_error("validation", "template_unresolved", "this worker has no secret \"" + name + "\"",
                                 "Start the worker with ORCH_SECRET_" + name + " in its environment, or with a file " + name + " in --secrets-dir.");
            filled += *secret;
            if (!secret->empty()) told_.push_back(*std::move(secret));
        } else {
            filled += text.substr(open, close + 2 - open);
        }
        text.remove_prefix(close + 2);
    }
    return filled.append(text);
}

json secret_filler::fill_all(const json &value)
{
    if (value.is_string()) return fill(value.get_ref<const std::string &>());
    if (!value.is_structured()) return value;
    json filled = value.is_array() ? json::array() : json::object();
    for (const auto &[key, element] : value.items())
        if (value.is_array()) filled.push_back(fill_all(element));
        else filled[fill(key)] = fill_all(element);
    return filled;
}

std::string secret_filler::redact(std::string text) const
{
    for (const auto &secret : told_)
        for (size_t at = 0; (at = text.find(secret, at)) != text.npos; at += 3) text.replace(at, secret.size(), "***");
    return text;
}

}  // namespace orch
