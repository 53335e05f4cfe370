// Runs started from outside by whoever can sign: no role, no token, a secret that both sides know.
//
// The id of a delivery is the idempotency key of its run, so that what is delivered twice is one run. Nothing tells a wrong signature from a missing one or an old one.
#pragma once

#include "core/webhook.hpp"
#include "engine/call.hpp"

namespace orch::engine {

struct HookDefinition {
    std::string name;
    std::string workflow;
    std::optional<std::string> secret;
    std::optional<Datum> input;  // jsonb: a template; nothing: the body is the input
    std::string format;
    std::optional<std::string> header;  // where the signature stands, for `hex`
};
/// The secret where it was made here. Raises 42710, 22023, OR002.
std::optional<std::string> create_hook(Call &call, const HookDefinition &definition);

/// False where the caller's tenant has none of that name.
bool drop_hook(Call &call, const std::string &name);

struct Received {
    RunId run;
    bool created;
    char state;
};
/// `headers` is a jsonb object of texts by their names. Raises 42704 for an unknown hook, 42501 for a delivery that is not signed as it should be, 22P02 for a body that is no JSON, 22023 for one that the template cannot use.
Received receive_hook(Call &call, const std::string &name, std::string_view body, Datum headers);

}  // namespace orch::engine
