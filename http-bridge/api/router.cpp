#include "api/route.hpp"

#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <array>

namespace orch::bridge {

namespace {

struct Pattern {
    const Route *route;
    std::vector<std::string_view> segments;
    size_t literals = 0;

    explicit Pattern(const Route &given) : route(&given)
    {
        std::string_view rest = std::string_view(given.pattern).substr(1);
        for (;;) {
            const auto slash = rest.find('/');
            segments.push_back(rest.substr(0, slash));
            literals += segments.back().starts_with('{') ? 0 : 1;
            if (slash == rest.npos) break;
            rest.remove_prefix(slash + 1);
        }
    }

    [[nodiscard]] bool fits(std::span<const std::string> path) const
    {
        if (path.size() != segments.size()) return false;
        for (size_t i = 0; i < path.size(); i++)
            if (segments[i].starts_with('{') ? path[i].empty() : segments[i] != path[i]) return false;
        return true;
    }
};

const std::vector<Pattern> &patterns()
{
    static const std::vector<Pattern> all = [] {
        std::vector<Pattern> made;
        for (const Route *route : all_routes()) made.emplace_back(*route);
        return made;
    }();
    return all;
}

// Every pattern that fits, whatever its method, and where its segments begin in the path.
template <class Use>
void each_fit(const Request &request, const Use &use)
{
    const std::span<const std::string> path(request.segments);
    const bool api = path.size() > 1 && path[0] == "api";
    const std::span<const std::string> without_api = api ? path.subspan(1) : path;
    const std::span<const std::string> without_version = api && path.size() > 2 && path[1] == "v1" ? path.subspan(2) : without_api;
    for (const Pattern &pattern : patterns()) {
        if (api && pattern.fits(without_version)) use(pattern, without_version);
        else if (pattern.route->also_at_root && pattern.fits(path)) use(pattern, path);
    }
}

}  // namespace

std::string_view minimum_name(Minimum minimum)
{
    constexpr std::array<std::string_view, 5> names = {"nobody", "viewer", "worker", "operator", "admin"};
    return names[static_cast<size_t>(minimum)];
}

const std::vector<const Route *> &all_routes()
{
    static const std::vector<const Route *> all = [] {
        std::vector<const Route *> collected;
        const auto add = [&](std::span<const Route> family) {
            for (const Route &route : family) collected.push_back(&route);
        };
        add(document_routes());
        add(system_routes());
        add(workflow_routes());
        add(trigger_routes());
        add(run_routes());
        add(dead_letter_routes());
        add(insight_routes());
        add(token_routes());
        add(event_routes());
        add(hook_routes());
        add(notification_routes());
        add(worker_routes());
        return collected;
    }();
    return all;
}

const Route *find_route(Request &request)
{
    const http::verb method = request.method == http::verb::head ? http::verb::get : request.method;
    const Pattern *best = nullptr;
    std::span<const std::string> best_path;
    each_fit(request, [&](const Pattern &pattern, std::span<const std::string> path) {
        if (pattern.route->method != method || (best != nullptr && best->literals >= pattern.literals)) return;
        best = &pattern;
        best_path = path;
    });
    if (best == nullptr) return method == http::verb::get && allowed_methods(request).empty() ? dashboard_route(request) : nullptr;
    for (size_t i = 0; i < best_path.size(); i++)
        if (const std::string_view name = best->segments[i]; name.starts_with('{'))
            request.path_parameters.emplace_back(name.substr(1, name.size() - 2), best_path[i]);
    return best->route;
}

std::string allowed_methods(const Request &request)
{
    std::vector<std::string> methods;
    const auto add = [&](std::string_view name) {
        if (std::find(methods.begin(), methods.end(), name) == methods.end()) methods.emplace_back(name);
    };
    each_fit(request, [&](const Pattern &pattern, std::span<const std::string>) {
        add(std::string_view(http::to_string(pattern.route->method)));
        if (pattern.route->method == http::verb::get) add("HEAD");
    });
    if (methods.empty()) return {};
    add("OPTIONS");
    std::string list;
    for (const std::string &method : methods) list += (list.empty() ? "" : ", ") + method;
    return list;
}

}  // namespace orch::bridge
