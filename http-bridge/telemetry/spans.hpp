// Runs and attempts that ended, as spans of OpenTelemetry: OTLP in JSON, by the semantic conventions for CI/CD.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace orch::bridge {

/// The body of POST /v1/traces for what orch.span_page returned; empty where nothing is to be sent, since the caller of the run did not sample its trace. Ids
/// follow from those of run, task and attempt alone, so that a span that is sent twice is the same span.
[[nodiscard]] std::string otlp_traces(const nlohmann::ordered_json &spans, size_t &count);

}  // namespace orch::bridge
