// Values against the shapes of the grammar's tables.

#include "core/validation.hpp"

#include "core/retry_policy.hpp"

#include <algorithm>
#include <cmath>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

std::string shown(double number)
{
    return number == std::trunc(number) && std::abs(number) < 1e15 ? std::to_string(static_cast<int64_t>(number)) : to_text(Json(number));
}

void check_range(Findings &findings, const Place &place, const Json &value, const Field &field)
{
    const double number = value.get<double>();
    if (number >= field.least && number <= field.most) return;
    findings.error(ProblemCode::out_of_range, place,
                   std::string(field.name) + " is " + to_text(value) + ", outside of " + shown(field.least) + " to " + shown(field.most));
}

bool is_scalar(const Json &value) { return value.is_string() || value.is_number() || value.is_boolean(); }

void check_members(Findings &findings, const Place &place, const Json &object, bool texts_only)
{
    for (const auto &[key, value] : object.get_ref<const Json::object_t &>()) {
        const bool fits = texts_only ? value.is_string() : is_scalar(value);
        expect(findings, place / key, value, fits, texts_only ? "text" : "text, a number, true or false");
    }
}

void check_labels(Findings &findings, const Place &place, const Json &value)
{
    if (value.is_object()) return check_members(findings, place, value, false);
    if (!expect(findings, place, value, value.is_array(), "a list of texts, or an object")) return;
    for (std::size_t i = 0; i < value.size(); i++) check_line(findings, place / i, value[i]);
}

void check_choice(Findings &findings, const Place &place, const Json &value, const Field &field)
{
    if (!expect(findings, place, value, value.is_string(), "text")) return;
    const std::string &word = value.get_ref<const std::string &>();
    const std::string padded = " " + std::string(field.choices) + " ";
    if (!word.empty() && word.find(' ') == std::string::npos && padded.find(" " + word + " ") != std::string::npos) return;
    std::string choices(field.choices);
    for (std::size_t at = 0; (at = choices.find(' ', at)) != std::string::npos; at += 2) choices.replace(at, 1, ", ");
    findings.error(ProblemCode::unknown_value, place, std::string(field.name) + " has no value " + in_quotes(word), "Values are " + choices + ".");
}

// Classes, codes such as 40001 or RateLimited, and exit codes share one list: only their kind can be checked.
void check_errors(Findings &findings, const Place &place, const Json &value)
{
    if (!expect(findings, place, value, value.is_array(), "a list of error classes, codes or exit codes")) return;
    if (value.empty())
        findings.error(ProblemCode::out_of_range, place, "the list is empty", {}, "Leave it out, or name an error class, a code or an exit code.");
    for (std::size_t i = 0; i < value.size(); i++) {
        const auto exit_code = as_integer(value[i]);
        if (exit_code && (*exit_code < 0 || *exit_code > 255))
            findings.error(ProblemCode::out_of_range, place / i, "exit code " + to_text(value[i]) + " is outside of 0 to 255");
        else if (!exit_code) check_line(findings, place / i, value[i]);
    }
}

}  // namespace

std::string_view kind_of(const Json &value)
{
    if (value.is_null()) return "null";
    if (value.is_string()) return "text";
    if (value.is_number()) return "a number";
    if (value.is_boolean()) return "true or false";
    return value.is_array() ? "a list" : "an object";
}

bool expect(Findings &findings, const Place &place, const Json &value, bool fits, std::string_view wanted)
{
    if (fits) return true;
    const std::string what = place.index != Place::no_index ? "element " + std::to_string(place.index) : place.up ? in_quotes(place.key, 60) : "the definition";
    findings.error(ProblemCode::wrong_type, place, what + " is " + std::string(kind_of(value)) + ", not " + std::string(wanted));
    return false;
}

void check_line(Findings &findings, const Place &place, const Json &value)
{
    if (!expect(findings, place, value, value.is_string(), "text")) return;
    const std::string &text = value.get_ref<const std::string &>();
    const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    if (text.empty()) findings.error(ProblemCode::invalid_text, place, "the text is empty");
    if (static_cast<std::size_t>(characters) > longest_name)
        findings.error(ProblemCode::invalid_text, place,
                       "the text has " + std::to_string(characters) + " characters, more than " + std::to_string(longest_name));
    // The C1 controls, U+0080 to U+009f, are C2 80 to C2 9f.
    bool has_control = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const auto byte = static_cast<unsigned char>(text[i]);
        has_control = has_control || byte < 0x20 || byte == 0x7f || (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0);
    }
    if (has_control)
        findings.error(ProblemCode::invalid_text, place, "the text " + in_quotes(text) + " has control characters", {},
                       "Remove line breaks, tabs and other controls.");
}

void check_id(Findings &findings, const Place &place, std::string_view id)
{
    if (is_identifier(id)) return;
    const std::string why = id.empty()               ? "is empty"
                            : id.size() > longest_id ? "is longer than " + std::to_string(longest_id) + " characters"
                                                     : "has characters that ids may not have";
    findings.error(ProblemCode::invalid_id, place, "id " + in_quotes(id, 60) + " " + why,
                   "Ids are 1 to 128 of letters, digits and _ - . / + :, and begin with a letter, a digit or _.", "Put the free text into name.");
}

void check_field(Findings &findings, const Place &object, std::string_view key, const Json &value, std::span<const Field> fields,
                 std::span<const std::string_view> more_words)
{
    if (is_ignored_key(key)) return;
    const Place place = object / key;
    const Field *field = find_field(fields, key);
    if (field == nullptr) {
        const std::string_view nearest = nearest_word(fields, more_words, key);
        findings.error(ProblemCode::unknown_key, place, "unknown key " + in_quotes(key), {},
                       nearest.empty() ? "Keys of your own begin with x-." : "Did you mean " + in_quotes(nearest) + "?");
        return;
    }
    switch (field->shape) {
    case Shape::any:
    case Shape::checked_apart: break;
    case Shape::object: expect(findings, place, value, value.is_object(), "an object"); break;
    case Shape::scalars:
    case Shape::texts:
        if (expect(findings, place, value, value.is_object(), "an object")) check_members(findings, place, value, field->shape == Shape::texts);
        break;
    case Shape::list: expect(findings, place, value, value.is_array(), "a list"); break;
    case Shape::labels: check_labels(findings, place, value); break;
    case Shape::line: check_line(findings, place, value); break;
    case Shape::text: expect(findings, place, value, value.is_string(), "text"); break;
    case Shape::id:
        if (expect(findings, place, value, value.is_string(), "text")) check_id(findings, place, value.get_ref<const std::string &>());
        break;
    case Shape::integer:
        if (expect(findings, place, value, value.is_number() && (as_integer(value) || value.get<double>() > field->most), "a whole number"))
            check_range(findings, place, value, *field);
        break;
    case Shape::number:
        if (expect(findings, place, value, value.is_number(), "a number")) check_range(findings, place, value, *field);
        break;
    case Shape::choice: check_choice(findings, place, value, *field); break;
    case Shape::errors: check_errors(findings, place, value); break;
    case Shape::not_yet:
        findings.error(ProblemCode::not_supported_yet, place, in_quotes(key) + " is not supported yet",
                       "It is part of the grammar, but this version cannot run it.", "Leave it out for now.");
        break;
    }
}

void check_fields(Findings &findings, const Place &place, const Json &object, std::span<const Field> fields)
{
    for (const auto &[key, value] : object.get_ref<const Json::object_t &>()) check_field(findings, place, key, value, fields);
}

}  // namespace orch::core
