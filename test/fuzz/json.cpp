// Text to value and back: what is written reads as the same value, and a problem is short and safe to show.

#include "fuzz.hpp"

#include "core/json.hpp"

using namespace orch::core;

namespace {

void is_fit_to_show(const Problem &problem)
{
    for (const std::string *text : {&problem.path, &problem.message, &problem.detail, &problem.hint}) {
        orch::fuzz::promise(text->size() < 2000, "the texts of a problem are short");
        for (char c : *text) orch::fuzz::promise(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "no problem shows a control character");
    }
    const auto quoted = parse(to_text(std::string_view(problem.message)));
    orch::fuzz::promise(std::holds_alternative<Json>(quoted), "a message is UTF-8");
}

void read(std::string_view bytes, const Limits &limits)
{
    const auto parsed = parse(bytes, limits);
    if (const auto *problem = std::get_if<Problem>(&parsed)) return is_fit_to_show(*problem);
    const Json &value = std::get<Json>(parsed);
    const std::string text = to_text(value);
    const auto again = parse(text, {.max_bytes = ~std::size_t{0}, .max_depth = limits.max_depth, .exact_integers = limits.exact_integers});
    orch::fuzz::promise(std::holds_alternative<Json>(again), "what is written can be read");
    orch::fuzz::promise(std::get<Json>(again) == value, "and is the same value");
    orch::fuzz::promise(to_text(std::get<Json>(again)) == text, "and is written in the same way");
}

}  // namespace

void orch::fuzz::one(std::string_view bytes)
{
    read(bytes, {});
    read(bytes, {.max_bytes = 1000, .max_depth = 3, .exact_integers = false});
    const auto quoted = parse(to_text(bytes));
    promise(std::holds_alternative<Json>(quoted) || bytes.find('\0') != std::string_view::npos, "any bytes become a JSON string");
    promise(!in_quotes(bytes, 50).empty(), "any bytes can be shown");
}
