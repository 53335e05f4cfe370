#include "core/json.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

// nlohmann's own builder finds duplicates by a linear search for each key, or not at all, and lets a growing object copy its values. This one collects the
// members of an open object aside and moves them into place, once, when the object closes.
class Builder final : public nlohmann::json_sax<Json> {
public:
    Builder(std::string_view text, const Limits &limits) : text_(text), limits_(limits) {}

    bool null() override { return add(Json(nullptr)); }
    bool boolean(bool value) override { return add(Json(value)); }
    bool number_integer(number_integer_t value) override { return add(Json(value)); }
    bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }

    bool number_float(number_float_t value, const string_t &digits) override
    {
        if (limits_.exact_integers && digits.find_first_of(".eE") == string_t::npos)
            return refuse(ProblemCode::json_number_out_of_range, "number " + in_quotes(digits, 40) + " does not fit into 64 bits",
                          "Write it as a string, or as a floating-point number if rounding is fine.");
        return add(Json(value));
    }

    bool string(string_t &value) override
    {
        if (value.find('\0') != string_t::npos) return refuse_nul("a string");
        return add(Json(std::move(value)));
    }

    bool binary(binary_t &) override { return false; }  // no JSON text has one
    bool start_object(std::size_t) override { return open(true); }
    bool start_array(std::size_t) override { return open(false); }

    bool key(string_t &value) override
    {
        if (value.find('\0') != string_t::npos) return refuse_nul("a key");
        frames_[depth_ - 1].key = std::move(value);
        return true;
    }

    bool end_object() override
    {
        Frame &frame = frames_[depth_ - 1];
        if (const std::string *twice = duplicate(frame.members)) {
            const std::string key = *twice;
            frame.key = key;
            return refuse(ProblemCode::json_duplicate_key, "key " + in_quotes(key) + " stands twice in one object",
                          "Remove or rename one of them: most parsers would drop one in silence.");
        }
        Json object = Json::object();
        auto &members = static_cast<Json::object_t::Container &>(object.get_ref<Json::object_t &>());
        members.reserve(frame.members.size());
        for (auto &[key, value] : frame.members) members.emplace_back(std::move(key), std::move(value));
        return close(std::move(object));
    }

    bool end_array() override
    {
        Frame &frame = frames_[depth_ - 1];
        Json array = Json::array();
        auto &elements = array.get_ref<Json::array_t &>();
        elements.reserve(frame.members.size());
        for (auto &[key, value] : frame.members) elements.push_back(std::move(value));
        return close(std::move(array));
    }

    bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &error) override
    {
        const std::string_view what = error.what();
        const auto says = [&](std::string_view words) { return what.find(words) != std::string_view::npos; };
        const std::string place = " at " + line_and_column(position);
        if (error.id == 406) return refuse(ProblemCode::json_number_out_of_range, "number out of range" + place, "Numbers go up to about 1.8e308.");
        if (says("UTF-8")) return refuse(ProblemCode::json_encoding, "the text is not valid UTF-8" + place, "Save it as UTF-8.");
        if (says("surrogate"))
            return refuse(ProblemCode::json_encoding, "half of a surrogate pair" + place, "Write both \\u escapes of the pair, or the character itself.");
        return refuse(ProblemCode::json_syntax, "the text is not JSON" + place + reason(what), "");
    }

    std::optional<Problem> problem;
    Json result;

private:
    struct Frame {
        bool is_object = false;
        std::string key;
        std::vector<std::pair<std::string, Json>> members;  // of an array: with empty keys
    };

    bool open(bool is_object)
    {
        if (depth_ == limits_.max_depth)
            return refuse(ProblemCode::json_too_deep, "nested deeper than " + std::to_string(limits_.max_depth) + " levels",
                          "Flatten the value, or store it as a string.");
        if (depth_ == frames_.size()) frames_.emplace_back();
        frames_[depth_].is_object = is_object;
        frames_[depth_].members.clear();
        depth_++;
        return true;
    }

    bool close(Json value)
    {
        frames_[--depth_].members.clear();
        return add(std::move(value));
    }

    bool add(Json value)
    {
        if (depth_ == 0) {
            result = std::move(value);
            return true;
        }
        Frame &frame = frames_[depth_ - 1];
        if (frame.is_object) frame.members.emplace_back(std::move(frame.key), std::move(value));
        else frame.members.emplace_back(std::string(), std::move(value));
        return true;
    }

    static const std::string *duplicate(const std::vector<std::pair<std::string, Json>> &members)
    {
        if (members.size() <= 16) {
            for (std::size_t i = 1; i < members.size(); i++)
                for (std::size_t j = 0; j < i; j++)
                    if (members[i].first == members[j].first) return &members[i].first;
            return nullptr;
        }
        std::vector<const std::string *> keys;
        keys.reserve(members.size());
        for (const auto &entry : members) keys.push_back(&entry.first);
        std::sort(keys.begin(), keys.end(), [](const std::string *a, const std::string *b) { return *a < *b; });
        const auto twice = std::adjacent_find(keys.begin(), keys.end(), [](const std::string *a, const std::string *b) { return *a == *b; });
        return twice == keys.end() ? nullptr : *twice;
    }

    std::string place() const
    {
        std::string path;
        for (std::size_t i = 0; i < depth_; i++) {
            const Frame &frame = frames_[i];
            if (!frame.is_object) path = pointer_to(path, frame.members.size());
            else if (!frame.key.empty()) path = pointer_to(path, frame.key);
        }
        return path;
    }

    std::string line_and_column(std::size_t position) const
    {
        const std::string_view before = text_.substr(0, std::min(position > 0 ? position - 1 : 0, text_.size()));
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto line_start = before.rfind('\n');
        const auto column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
        return "line " + std::to_string(line) + ", byte " + std::to_string(column);
    }

    // nlohmann 3.11 says "... while parsing WHAT - REASON; last read: 'TEXT'; expected WHAT". The text may be long and hostile: only the rest is shown.
    static std::string reason(std::string_view what)
    {
        const auto start = what.find(" - ");
        if (start == std::string_view::npos) return {};
        std::string_view words = what.substr(start + 3);
        words = words.substr(0, words.find("; last read"));
        const std::string shown = in_quotes(words, 160);
        return ": " + shown.substr(1, shown.size() - 2);
    }

    bool refuse_nul(std::string_view what)
    {
        return refuse(ProblemCode::json_nul, std::string(what) + " contains the character U+0000",
                      "PostgreSQL text cannot hold it: remove it, or encode the value as base64.");
    }

    bool refuse(ProblemCode code, std::string message, std::string hint)
    {
        problem = Problem{Severity::error, place(), std::string(code_name(code)), std::move(message), {}, std::move(hint)};
        return false;
    }

    std::string_view text_;
    const Limits &limits_;
    std::deque<Frame> frames_;  // those above depth_ keep their memory for the next object
    std::size_t depth_ = 0;
};

}  // namespace

std::variant<Json, Problem> parse(std::string_view text, const Limits &limits)
{
    if (text.size() > limits.max_bytes)
        return Problem{Severity::error,
                       {},
                       std::string(code_name(ProblemCode::json_too_large)),
                       "the text has " + std::to_string(text.size()) + " bytes, more than the limit of " + std::to_string(limits.max_bytes),
                       {},
                       "Split the definition, or keep large values outside of it."};
    Builder builder(text, limits);
    Json::sax_parse(text.begin(), text.end(), &builder);
    if (builder.problem) return *std::move(builder.problem);
    return std::move(builder.result);
}

std::string to_text(const Json &value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string to_text(std::string_view text) { return to_text(Json(std::string(text))); }

const Json *member(const Json &object, std::string_view key)
{
    if (!object.is_object()) return nullptr;
    for (const auto &entry : object.get_ref<const Json::object_t &>())
        if (entry.first == key) return &entry.second;
    return nullptr;
}

}  // namespace orch::core
