// Telling those outside: each event that a notification asks for becomes a run of the engine's own workflow, in the transaction of the event. Whoever leases its task sends what
// `delivery_of` gives: address and secret are read then, and stand in no event, input or log.
//
// Where nobody asks for anything a commit pays nothing: each backend keeps what is asked for, and forgets it when PostgreSQL's own invalidation says that the table changed.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

inline constexpr std::string_view notification_workflow = "orch.notification";
inline constexpr std::string_view notification_queue = "orch.notifications";
inline constexpr std::string_view notification_handler = "orch.notify";

/// Starts the deliveries of what this call's events told. Runs of the workflow above are never told of themselves.
void notify_outside(Call &call);

struct NotificationDefinition {
    std::string name;
    std::optional<std::string> workflow;  // nothing: all
    std::vector<std::string> events;
    std::string url;
    std::optional<std::string> secret;  // nothing: one is made
};
/// Made, or changed where there is one of that name; the secret where it was made here. Deliveries that wait go to the new address. Raises 22023, OR002.
std::optional<std::string> notify_on(Call &call, const NotificationDefinition &definition);

/// False where there is none of that name. What waits is not sent any more.
bool drop_notification(Call &call, const std::string &name);

struct Outgoing {
    std::string url;
    Datum headers;  // jsonb object of texts
    std::string body;
};
/// What the holder of this lease is to send now, signed with the time of this call; nothing where nobody wants it any more. Raises OR010.
std::optional<Outgoing> delivery_of(Call &call, const std::string &lease);

/// The secret to store, and the one to show where none was given. Raises 22023 for one that is too short.
struct Secret {
    std::string stored;
    std::optional<std::string> made;
};
Secret secret_from(const std::optional<std::string> &given);

}  // namespace orch::engine
