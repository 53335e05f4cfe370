#include "metrics/meters.hpp"

#include "bridge.hpp"
#include "events/hub.hpp"
#include "telemetry/exporter.hpp"

#include <charconv>
#include <cmath>

namespace orch::bridge {

namespace {

std::string bound_text(double bound)
{
    if (std::isinf(bound)) return "+Inf";
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, bound);
    std::string text(digits, end.ptr);
    // OpenMetrics wants a bound to look like the floating-point number that it is.
    return text.find_first_of(".e") == text.npos ? text + ".0" : text;
}

Labels labels_of(const prometheus::ClientMetric &metric)
{
    Labels labels;
    for (const auto &label : metric.label) labels.emplace_back(label.name, label.value);
    return labels;
}

Family family_of(const prometheus::MetricFamily &collected)
{
    Family family{collected.name, collected.type == prometheus::MetricType::Histogram ? "histogram" : "counter", "", collected.help, {}};
    if (family.name.ends_with("_seconds")) family.unit = "seconds";
    for (const prometheus::ClientMetric &metric : collected.metric) {
        Labels labels = labels_of(metric);
        if (family.type == "counter") {
            family.samples.push_back({family.name + "_total", std::move(labels), metric.counter.value});
            continue;
        }
        for (const auto &bucket : metric.histogram.bucket) {
            Labels with_bound = labels;
            with_bound.emplace_back("le", bound_text(bucket.upper_bound));
            family.samples.push_back({family.name + "_bucket", std::move(with_bound), static_cast<double>(bucket.cumulative_count)});
        }
        family.samples.push_back({family.name + "_sum", labels, metric.histogram.sample_sum});
        family.samples.push_back({family.name + "_count", labels, static_cast<double>(metric.histogram.sample_count)});
    }
    return family;
}

Family gauge(std::string name, std::string help, double value)
{
    Family family{name, "gauge", "", std::move(help), {}};
    family.samples.push_back({std::move(name), {}, value});
    return family;
}

}  // namespace

Meters::Meters()
    : requests_(prometheus::BuildCounter().Name("orch_bridge_requests").Help("Requests that were answered, by route and status.").Register(registry_)),
      durations_(
          prometheus::BuildHistogram().Name("orch_bridge_request_seconds").Help("From the header of a request to its answer being ready.").Register(registry_))
{
}

void Meters::count_request(std::string_view method, std::string_view route, int status, std::chrono::microseconds duration)
{
    const std::string where = route.empty() ? "none" : std::string(route);
    // A method that no route has is the caller's to make up.
    const std::string how = route.empty() ? "any" : std::string(method);
    requests_.Add({{"method", how}, {"route", where}, {"status", std::to_string(status)}}).Increment();
    durations_
        .Add({{"method", how}, {"route", where}},
             prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30})
        .Observe(static_cast<double>(duration.count()) / 1e6);
}

std::vector<Family> Meters::collect(const Bridge &bridge) const
{
    std::vector<Family> families;
    for (const prometheus::MetricFamily &collected : registry_.Collect()) families.push_back(family_of(collected));
    const Hub::Status hub = bridge.hub->status();
    const Pool::Status pool = bridge.pool.status(), waits = bridge.waits.status();
    families.push_back(gauge("orch_bridge_streams", "Streams of events that are open.", static_cast<double>(hub.streams)));
    families.push_back(gauge("orch_bridge_stream_buffer_bytes", "Events that are kept for all streams together.", static_cast<double>(hub.bytes)));
    families.push_back(gauge("orch_bridge_feed_silence_seconds", "For how long the feed has not answered, while anybody listens.",
                             static_cast<double>(hub.behind.count()) / 1000));
    Family events{"orch_bridge_feed_events", "counter", "", "Events that came by the feed.", {}};
    events.samples.push_back({"orch_bridge_feed_events_total", {}, static_cast<double>(hub.read)});
    families.push_back(std::move(events));
    Family connections{"orch_bridge_database_connections", "gauge", "", "Connections to the database, by what they are for and whether they are lent.", {}};
    for (const auto &[name, status] : {std::pair("requests", pool), std::pair("waits", waits)}) {
        connections.samples.push_back({connections.name, {{"pool", name}, {"state", "busy"}}, static_cast<double>(status.busy)});
        connections.samples.push_back({connections.name, {{"pool", name}, {"state", "idle"}}, static_cast<double>(status.connections - status.busy)});
    }
    families.push_back(std::move(connections));
    Family queue{"orch_bridge_database_queue", "gauge", "", "Requests that wait for a connection to the database.", {}};
    for (const auto &[name, status] : {std::pair("requests", pool), std::pair("waits", waits)})
        queue.samples.push_back({queue.name, {{"pool", name}}, static_cast<double>(status.waiting)});
    families.push_back(std::move(queue));
    const SpanExporter::Status spans = bridge.spans->status();
    if (!spans.wanted) return families;
    families.push_back(gauge("orch_bridge_exports_spans", "1 where this bridge is the one that exports spans.", spans.exporting ? 1 : 0));
    const auto counter = [&](const std::string &name, std::string help, uint64_t value) {
        families.push_back({name, "counter", "", std::move(help), {{name + "_total", {}, static_cast<double>(value)}}});
    };
    counter("orch_bridge_spans_sent", "Spans that arrived at the collector.", spans.sent);
    counter("orch_bridge_spans_dropped", "Spans that the collector refused.", spans.dropped);
    counter("orch_bridge_span_failures", "Requests to the collector that failed.", spans.failures);
    return families;
}

}  // namespace orch::bridge
