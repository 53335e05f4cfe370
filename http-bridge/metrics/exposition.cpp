#include "metrics/exposition.hpp"

#include <charconv>
#include <cmath>

namespace orch::bridge {

namespace {

void add_escaped(std::string &text, std::string_view raw, bool quotes)
{
    for (const char c : raw) {
        if (c == '\\') text += "\\\\";
        else if (c == '\n') text += "\\n";
        else if (c == '"' && quotes) text += "\\\"";
        else text += c;
    }
}

void add_number(std::string &text, double value)
{
    if (std::isnan(value)) text += "NaN";
    else if (std::isinf(value)) text += value > 0 ? "+Inf" : "-Inf";
    else {
        char digits[32];
        const auto end = std::to_chars(digits, digits + sizeof digits, value);
        text.append(digits, end.ptr);
    }
}

}  // namespace

Exposition wanted_exposition(std::string_view accept)
{
    // The first of the two: Prometheus names them in the order of its liking.
    const auto open = accept.find("application/openmetrics-text"), plain = accept.find("text/plain");
    return open != accept.npos && (plain == accept.npos || open < plain) ? Exposition::open_metrics : Exposition::prometheus;
}

std::string content_type_of(Exposition exposition)
{
    return exposition == Exposition::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";
}

std::string write_metrics(const std::vector<Family> &families, Exposition exposition)
{
    const bool open = exposition == Exposition::open_metrics;
    std::string text;
    for (const Family &family : families) {
        if (family.samples.empty()) continue;
        const std::string name = !open && family.type == "counter" ? family.name + "_total" : family.name;
        text += "# TYPE " + name + " " + family.type + "\n";
        if (open && !family.unit.empty()) text += "# UNIT " + name + " " + family.unit + "\n";
        text += "# HELP " + name + " ";
        add_escaped(text, family.help, open);
        text += '\n';
        for (const Sample &sample : family.samples) {
            text += sample.name;
            for (size_t i = 0; i < sample.labels.size(); i++) {
                text += i == 0 ? "{" : ",";
                text += sample.labels[i].first + "=\"";
                add_escaped(text, sample.labels[i].second, true);
                text += '"';
            }
            if (!sample.labels.empty()) text += '}';
            text += ' ';
            add_number(text, sample.value);
            text += '\n';
        }
    }
    if (open) text += "# EOF\n";
    return text;
}

}  // namespace orch::bridge
