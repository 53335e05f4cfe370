#include "telemetry/spans.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace orch::bridge {

namespace {

using nlohmann::ordered_json;

// 16 digits that follow from the name.
std::string span_id(const std::string &name)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned int length = 0;
    if (EVP_Digest(name.data(), name.size(), hash.data(), &length, EVP_sha256(), nullptr) != 1) throw std::runtime_error("SHA-256 is not to be had");
    std::string id;
    for (size_t i = 0; i < 8; i++) {
        constexpr char digits[] = "0123456789abcdef";
        id += digits[hash[i] >> 4];
        id += digits[hash[i] & 15];
    }
    return id;
}

ordered_json attribute(const std::string &key, const std::string &value) { return {{"key", key}, {"value", {{"stringValue", value}}}}; }
ordered_json attribute(const std::string &key, int64_t value) { return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}}; }

std::string text_of(const ordered_json &object, const char *name)
{
    const auto found = object.find(name);
    return found == object.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

std::string result_of(const std::string &kind, const ordered_json &error)
{
    if (kind.ends_with("_succeeded")) return "success";
    if (kind.ends_with("_timed_out") || (kind == "task_retry_scheduled" && text_of(error, "class") == "timeout")) return "timeout";
    if (kind.ends_with("_cancelled") || kind == "task_released") return "cancellation";
    if (kind == "task_skipped") return "skip";
    return "failure";
}

ordered_json span_of(const ordered_json &ended)
{
    const std::string run = text_of(ended, "run_id"), task = text_of(ended, "task_id"), kind = text_of(ended, "kind"), workflow = text_of(ended, "workflow");
    const std::string traceparent = text_of(ended, "traceparent"), actor = text_of(ended, "actor");
    const ordered_json none = ordered_json::object();
    const ordered_json &error = ended.contains("error") && ended["error"].is_object() ? ended["error"] : none;
    const bool traced = traceparent.size() >= 55;
    const bool is_run = kind.starts_with("run_");
    const std::string whole = run + "/" + std::to_string(ended.at("opening").get<int64_t>());
    const int64_t attempt = is_run ? 0 : ended.at("attempt").get<int64_t>();

    ordered_json span;
    std::string trace = run;
    std::erase(trace, '-');
    span["traceId"] = traced ? traceparent.substr(3, 32) : trace;
    span["spanId"] = span_id(is_run ? whole : whole + "/" + task + "/" + std::to_string(attempt));
    if (!is_run) span["parentSpanId"] = span_id(whole);
    else if (traced) span["parentSpanId"] = traceparent.substr(36, 16);
    span["name"] = is_run ? "RUN " + workflow : task;
    span["kind"] = is_run ? 2 : 1;
    span["startTimeUnixNano"] = std::to_string(ended.at("started_us").get<int64_t>()) + "000";
    span["endTimeUnixNano"] = std::to_string(ended.at("ended_us").get<int64_t>()) + "000";

    const std::string result = result_of(kind, error);
    ordered_json attributes = ordered_json::array();
    attributes.push_back(attribute("cicd.pipeline.name", workflow));
    attributes.push_back(attribute("cicd.pipeline.run.id", run));
    attributes.push_back(attribute("orch.tenant", text_of(ended, "tenant")));
    if (is_run) {
        attributes.push_back(attribute("cicd.pipeline.action.name", "RUN"));
        attributes.push_back(attribute("cicd.pipeline.result", result));
    } else {
        attributes.push_back(attribute("cicd.pipeline.task.name", task));
        attributes.push_back(attribute("cicd.pipeline.task.run.id", run + "/" + task + "/" + std::to_string(attempt)));
        attributes.push_back(attribute("cicd.pipeline.task.run.result", result));
        attributes.push_back(attribute("orch.attempt", attempt));
        if (actor.starts_with("worker:")) attributes.push_back(attribute("cicd.worker.id", actor.substr(7)));
    }
    if (result == "failure" || result == "timeout") {
        const std::string code = text_of(error, "code"), error_class = text_of(error, "class");
        attributes.push_back(attribute("error.type", !code.empty() ? code : !error_class.empty() ? error_class : result));
        // The message of an error is the handler's own words, which belong to the run and not into another system.
        span["status"] = {{"code", 2}};
    }
    span["attributes"] = std::move(attributes);
    return span;
}

bool is_sampled(const ordered_json &ended)
{
    const std::string traceparent = text_of(ended, "traceparent");
    return traceparent.size() < 55 || (traceparent[54] - '0') % 2 == 1 || std::string_view("bdf").find(traceparent[54]) != std::string_view::npos;
}

}  // namespace

std::string otlp_traces(const ordered_json &spans, size_t &count)
{
    ordered_json list = ordered_json::array();
    for (const ordered_json &ended : spans)
        if (is_sampled(ended)) list.push_back(span_of(ended));
    count = list.size();
    if (list.empty()) return {};
    ordered_json body;
    ordered_json resource = ordered_json::array({attribute("service.name", "orch"), attribute("service.version", ORCH_VERSION)});
    ordered_json scope_spans;
    scope_spans["scope"] = {{"name", "orch-bridge"}, {"version", ORCH_VERSION}};
    scope_spans["spans"] = std::move(list);
    ordered_json resource_spans;
    resource_spans["resource"]["attributes"] = std::move(resource);
    resource_spans["scopeSpans"] = ordered_json::array({std::move(scope_spans)});
    body["resourceSpans"] = ordered_json::array({std::move(resource_spans)});
    return body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace orch::bridge
