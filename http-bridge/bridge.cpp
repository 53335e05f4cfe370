#include "bridge.hpp"

#include "events/hub.hpp"
#include "metrics/meters.hpp"
#include "telemetry/exporter.hpp"

namespace orch::bridge {

namespace {

Pool::Settings pool_settings(const Options &options, const std::string &url, size_t size)
{
    Pool::Settings settings;
    settings.url = url;
    settings.size = size;
    settings.statement_time = options.statement_time;
    return settings;
}

}  // namespace

Bridge::Bridge(Options given)
    : options(std::move(given)), pool(loop.get_executor(), pool_settings(options, options.database, options.database_connections)),
      waits(loop.get_executor(), pool_settings(options, options.direct_database, options.waits)),
      polls(loop.get_executor(), pool_settings(options, options.direct_database, 1)), authenticator(make_authenticator(options)),
      meters(std::make_unique<Meters>()), hub(std::make_unique<Hub>(*this)), spans(std::make_unique<SpanExporter>(*this))
{
}

Bridge::~Bridge() { threads.join(); }

}  // namespace orch::bridge
