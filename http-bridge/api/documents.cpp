// Files for people: the dashboard at `/`, the description of the API, and the page that shows it. They lie beside the program and are read once.
#include "api/route.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

namespace orch::bridge {

namespace {

struct Document {
    std::string text, etag;
};

std::string type_of(const std::filesystem::path &file)
{
    static const std::map<std::string, std::string, std::less<>> types = {{".html", "text/html; charset=utf-8"},
                                                                          {".js", "text/javascript; charset=utf-8"},
                                                                          {".css", "text/css; charset=utf-8"},
                                                                          {".json", "application/json"},
                                                                          {".svg", "image/svg+xml"}};
    const auto found = types.find(file.extension().string());
    return found == types.end() ? "text/plain; charset=utf-8" : found->second;
}

// build/bin/orch-bridge has build/share/orch/bridge, an installed one PREFIX/share/orch/bridge.
std::filesystem::path folder_of(const Options &options)
{
    if (!options.share.empty()) return options.share;
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "share/orch/bridge";
}

std::map<std::string, Document, std::less<>> read_documents(const std::filesystem::path &folder)
{
    std::map<std::string, Document, std::less<>> documents;
    std::error_code missing;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder, missing)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream file(entry.path(), std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(file), {}};
        std::string etag = "\"" + std::to_string(text.size()) + "-" + std::to_string(std::hash<std::string>{}(text)) + "\"";
        documents.emplace(entry.path().lexically_relative(folder).string(), Document{std::move(text), std::move(etag)});
    }
    return documents;
}

bool takes_encoding(const Request &request, std::string_view wanted)
{
    std::string_view rest = request.header("Accept-Encoding");
    while (!rest.empty()) {
        std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        const size_t begin = one.find_first_not_of(' ');
        if (begin == std::string_view::npos) continue;
        one.remove_prefix(begin);
        const std::string_view name = one.substr(0, one.find_first_of("; "));
        if (name == wanted) return one.find("q=0") == std::string_view::npos || one.find("q=0.") != std::string_view::npos;
    }
    return false;
}

// Names come from a list, so that no path leads out of the folder. What the build has compressed lies beside the file itself.
Response document(const Bridge &bridge, const Request &request, const std::string &name, std::string_view caching = "no-cache")
{
    static const auto documents = read_documents(folder_of(bridge.options));
    auto found = documents.find(name);
    std::string encoding;
    bool varies = false;
    for (const auto &[offered, suffix] : {std::pair("br", ".br"), std::pair("gzip", ".gz")}) {
        const auto smaller = documents.find(name + suffix);
        if (smaller == documents.end()) continue;
        varies = true;
        if (!encoding.empty() || !takes_encoding(request, offered)) continue;
        encoding = offered;
        found = smaller;
    }
    if (found == documents.end())
        throw Problem(404, "not_found", "there is no file \"" + name + "\"")
            .hinting(documents.empty() ? "The bridge was installed without its files; see --share." : "");
    Response response(request.header("If-None-Match") == found->second.etag ? 304 : 200);
    response.with("ETag", found->second.etag).with("Cache-Control", std::string(caching));
    if (varies) response.with("Vary", "Accept-Encoding");
    // Scripts and styles from here alone, and none that stand in a page; the pictures of the buttons stand in the style.
    response.with("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                                             "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (response.status == 304) return response;
    if (!encoding.empty()) response.with("Content-Encoding", encoding);
    response.with("Content-Type", type_of(name));
    response.body = found->second.text;
    return response;
}

Handler file(std::string name)
{
    return [name = std::move(name)](Bridge &bridge, Request &request) -> boost::asio::awaitable<Response> { co_return document(bridge, request, name); };
}

// Their names hold a hash of their content.
boost::asio::awaitable<Response> tell_asset(Bridge &bridge, Request &request)
{
    co_return document(bridge, request, "dashboard/assets/" + request.in_path("file"), "public, max-age=31536000, immutable");
}

boost::asio::awaitable<Response> tell_docs_file(Bridge &bridge, Request &request) { co_return document(bridge, request, "docs/" + request.in_path("file")); }

}  // namespace

const Route *dashboard_route(Request &request)
{
    static const Route asset = {http::verb::get, "/assets/{file}", Minimum::nobody, "dashboardAsset", tell_asset};
    static const Route icon = {http::verb::get, "/favicon.svg", Minimum::nobody, "dashboardIcon", file("dashboard/favicon.svg")};
    static const Route page = {http::verb::get, "/{page}", Minimum::nobody, "dashboardPage", file("dashboard/index.html"), {"*"}};
    if (request.segments.size() == 2 && request.segments[0] == "assets") {
        request.path_parameters.emplace_back("file", request.segments[1]);
        return &asset;
    }
    if (request.segments.size() == 1 && request.segments[0] == "favicon.svg") return &icon;
    const bool is_api = !request.segments.empty() && request.segments[0] == "api";
    return !is_api && request.header("Accept").find("text/html") != std::string_view::npos ? &page : nullptr;
}

std::span<const Route> document_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get, "/", Minimum::nobody, "dashboard", file("dashboard/index.html"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/openapi.json", Minimum::nobody, "openapi", file("openapi.json"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/docs", Minimum::nobody, "docs", file("docs.html"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/docs/{file}", Minimum::nobody, "docsFile", tell_docs_file, {}, BodyKind::none, {}, true},
    };
    return routes;
}

}  // namespace orch::bridge
