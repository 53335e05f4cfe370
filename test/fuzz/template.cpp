// Templates: what parses renders to JSON, whatever is found for its paths.

#include "fuzz.hpp"

#include "core/template.hpp"

#include <string>

using namespace orch::core;
using orch::fuzz::promise;

namespace {

constexpr std::string_view found[] = {"null", "true", "-1.5e3", R"("text")", R"("{{ input.a }}")", R"("a\"\\\u0001b")", R"([1,"{{",{}])", R"({"a":{"b":"}}"}})",
                                      " 1 "};

bool is_json(const std::string &text) { return std::holds_alternative<Json>(parse(text, {.max_bytes = ~std::size_t{0}, .exact_integers = false})); }

void renders(const Json &value, orch::fuzz::Dice &dice, bool always_found)
{
    try {
        promise(is_json(render(value,
                               [&](const std::string &path) -> std::optional<std::string> {
                                   promise(path.starts_with("strict $."), "a path is whole");
                                   if (!always_found && dice.below(3) == 0) return std::nullopt;
                                   return std::string(found[dice.below(std::size(found))]);
                               })),
                "what is rendered is JSON");
    } catch (const template_error &) {
        // Nothing was found, or the syntax is broken: an error of the task.
    }
}

}  // namespace

void orch::fuzz::one(std::string_view bytes)
{
    Dice dice(bytes);
    const auto quoted = parse(to_text(bytes), {.max_bytes = 100'000});
    if (const auto *text = std::get_if<Json>(&quoted)) {
        renders(*text, dice, false);
        renders(Json{{"key", *text}, {"list", Json::array({*text, 1, nullptr})}}, dice, true);
    }
    const auto value = parse(bytes, {.max_bytes = 100'000});
    if (const auto *json = std::get_if<Json>(&value)) renders(*json, dice, true);

    const auto parts = parse_template(bytes);
    const auto paths = template_paths(bytes);
    if (const auto *fault = std::get_if<TemplateFault>(&parts)) {
        promise(!fault->message.empty() && !fault->hint.empty(), "a fault says what and what to do");
        promise(paths.empty(), "what is no template asks for nothing");
    }
}
