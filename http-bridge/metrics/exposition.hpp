// Samples as monitoring systems read them: OpenMetrics 1.0, or the text format of Prometheus.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orch::bridge {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
    std::string name;
    Labels labels;
    double value;
};

struct Family {
    std::string name;  ///< without _total
    std::string type;  ///< counter, gauge or histogram
    std::string unit, help;
    std::vector<Sample> samples;
};

enum class Exposition { open_metrics, prometheus };

/// What the Accept header asks for; the text format where it does not say.
[[nodiscard]] Exposition wanted_exposition(std::string_view accept);
[[nodiscard]] std::string content_type_of(Exposition exposition);
[[nodiscard]] std::string write_metrics(const std::vector<Family> &families, Exposition exposition);

}  // namespace orch::bridge
