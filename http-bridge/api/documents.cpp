// Files for people: the description of the API, the page that shows it, and the one at `/`. They lie beside the program and are read once.
#include "api/route.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

namespace orch::bridge {

namespace {

struct Document {
    std::string text, type, etag;
};

std::string type_of(const std::filesystem::path &file)
{
    static const std::map<std::string, std::string, std::less<>> types = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"}, {".json", "application/json"}};
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
        documents.emplace(entry.path().lexically_relative(folder).string(), Document{std::move(text), type_of(entry.path()), std::move(etag)});
    }
    return documents;
}

// Names come from a list, so that no path leads out of the folder.
Response document(const Bridge &bridge, const Request &request, const std::string &name)
{
    static const auto documents = read_documents(folder_of(bridge.options));
    const auto found = documents.find(name);
    if (found == documents.end())
        throw Problem(404, "not_found", "there is no file \"" + name + "\"")
            .hinting(documents.empty() ? "The bridge was installed without its files; see --share." : "");
    Response response(request.header("If-None-Match") == found->second.etag ? 304 : 200);
    response.with("ETag", found->second.etag).with("Cache-Control", "no-cache");
    // Scripts and styles from here alone, and none that stand in a page; the pictures of the buttons stand in the style.
    response.with("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (response.status == 304) return response;
    response.with("Content-Type", found->second.type);
    response.body = found->second.text;
    return response;
}

Handler file(std::string name)
{
    return [name = std::move(name)](Bridge &bridge, Request &request) -> boost::asio::awaitable<Response> { co_return document(bridge, request, name); };
}

boost::asio::awaitable<Response> tell_docs_file(Bridge &bridge, Request &request) { co_return document(bridge, request, "docs/" + request.in_path("file")); }

}  // namespace

std::span<const Route> document_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get, "/", Minimum::nobody, "index", file("index.html"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/openapi.json", Minimum::nobody, "openapi", file("openapi.json"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/docs", Minimum::nobody, "docs", file("docs.html"), {}, BodyKind::none, {}, true},
        {http::verb::get, "/docs/{file}", Minimum::nobody, "docsFile", tell_docs_file, {}, BodyKind::none, {}, true},
    };
    return routes;
}

}  // namespace orch::bridge
