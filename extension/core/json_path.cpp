#include "core/json_path.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80; }
bool is_word_character(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

struct Cursor {
    std::string_view text;
    std::size_t at;

    void skip_space()
    {
        while (at < text.size() && is_space(text[at])) at++;
    }

    bool take(char c)
    {
        skip_space();
        if (at >= text.size() || text[at] != c) return false;
        at++;
        return true;
    }

    /// A key, plain or quoted; nothing for `*`, a method call's bracket and the like.
    std::optional<std::string> take_key(bool &is_quoted)
    {
        skip_space();
        is_quoted = at < text.size() && text[at] == '"';
        if (is_quoted) {
            const std::size_t end = end_of_string(text, at);
            if (end == std::string_view::npos) return std::nullopt;
            std::string key;
            for (std::size_t i = at + 1; i + 1 < end; i++) key += text[i] == '\\' && i + 2 < end ? text[++i] : text[i];
            at = end;
            return key;
        }
        const std::size_t start = at;
        while (at < text.size() && is_word_character(text[at])) at++;
        if (start == at) return std::nullopt;
        return std::string(text.substr(start, at - start));
    }
};

PathReference reference_at(std::string_view jsonpath, std::size_t behind_dollar)
{
    PathReference found;
    Cursor cursor{jsonpath, behind_dollar};
    bool is_quoted = false;
    if (!cursor.take('.')) return found;
    auto root = cursor.take_key(is_quoted);
    if (!root) return found;
    found.root = *std::move(root);
    if (!cursor.take('.')) return found;
    cursor.skip_space();
    found.after = jsonpath.substr(cursor.at);
    if (found.root == "tasks") found.task = cursor.take_key(found.task_is_quoted).value_or("");
    return found;
}

}  // namespace

std::size_t end_of_string(std::string_view text, std::size_t start)
{
    const char quote = text[start];
    for (std::size_t i = start + 1; i < text.size(); i++) {
        if (text[i] == '\\') i++;
        else if (text[i] == quote) return i + 1;
    }
    return std::string_view::npos;
}

std::vector<PathReference> references(std::string_view jsonpath)
{
    std::vector<PathReference> found;
    for (std::size_t i = 0; i < jsonpath.size();) {
        const char c = jsonpath[i];
        if (c == '"') {
            i = end_of_string(jsonpath, i);
            if (i == std::string_view::npos) break;
        } else if (c == '$') {
            // `$name` would be a variable, which no path of ours has: reported as a root that nobody knows.
            if (i + 1 < jsonpath.size() && is_word_character(jsonpath[i + 1])) {
                Cursor cursor{jsonpath, i + 1};
                bool is_quoted = false;
                PathReference variable;
                variable.root = "$" + cursor.take_key(is_quoted).value_or("");
                found.push_back(std::move(variable));
                i = cursor.at;
                continue;
            }
            found.push_back(reference_at(jsonpath, i + 1));
            i++;
        } else if (is_word_character(c)) {
            while (i < jsonpath.size() && is_word_character(jsonpath[i])) i++;
        } else {
            i++;
        }
    }
    return found;
}

std::optional<std::string> light_path_check(std::string_view jsonpath)
{
    std::string open;
    for (std::size_t i = 0; i < jsonpath.size();) {
        const char c = jsonpath[i];
        if (c == '"') {
            i = end_of_string(jsonpath, i);
            if (i == std::string_view::npos) return "a quoted string is not closed";
            continue;
        }
        if (static_cast<unsigned char>(c) < 0x20 && !is_space(c)) return "a control character stands outside of a string";
        if (c == '\'') return "strings in a path have double quotes";
        if (c == '(' || c == '[') open += c;
        if (c == ')' || c == ']') {
            if (open.empty() || open.back() != (c == ')' ? '(' : '[')) return std::string("'") + c + "' has no partner";
            open.pop_back();
        }
        i++;
    }
    if (!open.empty()) return std::string("'") + open.back() + "' is not closed";
    const auto last = jsonpath.find_last_not_of(" \t\n\r");
    if (last != std::string_view::npos && jsonpath[last] == '.') return "a key is missing after the last '.'";
    return std::nullopt;
}

bool is_plain_word(std::string_view id) { return !id.empty() && is_letter(id[0]) && std::all_of(id.begin(), id.end(), is_word_character); }

}  // namespace orch::core
