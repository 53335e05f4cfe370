#include "bridge.hpp"

namespace orch::bridge {

namespace {

Pool::Settings pool_settings(const Options &options, size_t size)
{
    Pool::Settings settings;
    settings.url = options.database;
    settings.size = size;
    settings.statement_time = options.statement_time;
    return settings;
}

}  // namespace

Bridge::Bridge(Options given)
    : options(std::move(given)), pool(loop.get_executor(), pool_settings(options, options.database_connections)),
      waits(loop.get_executor(), pool_settings(options, options.waits)), polls(loop.get_executor(), pool_settings(options, 1)), authenticator(make_authenticator(options))
{
}

Bridge::~Bridge() { threads.join(); }

}  // namespace orch::bridge
