#pragma once

#include "events/hub.hpp"
#include "server/response.hpp"

namespace orch::bridge {

struct EventRequest {
    Principal principal;
    EventFilter filter;
    int64_t after;      ///< the position behind which it begins
    std::string since;  ///< when its token was good, by the database's clock
};

/// The stream of events as Server-Sent Events, until the peer goes, its token ends or the bridge stops.
[[nodiscard]] Stream event_stream(Bridge &bridge, EventRequest request);

struct EventPage {
    std::string items;  ///< a JSON array
    int64_t next;
};

/// A page from the database, as the principal may see it. `rows` are read; those that the filter lets through are in it.
[[nodiscard]] boost::asio::awaitable<EventPage> read_event_page(Bridge &bridge, const Principal &principal, const EventFilter &filter, int64_t after,
                                                                size_t rows);

}  // namespace orch::bridge
