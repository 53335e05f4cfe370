#include "core/hint.hpp"

#include "core/last_include.hpp"

namespace orch::core {

std::string hint_stream(std::string_view database, std::string_view tenant, std::string_view queue, std::string_view handler)
{
    std::string name = "orch:";
    for (const std::string_view part : {database, tenant, queue}) {
        for (const char c : part) {
            if (c == ':') name += "%3A";
            else if (c == '%') name += "%25";
            else name += c;
        }
        name += ':';
    }
    return name += handler;
}

}  // namespace orch::core
