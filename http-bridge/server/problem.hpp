// What went wrong, as RFC 9457 writes it down. Handlers throw it; the connection answers with it.
#pragma once

#include "server/response.hpp"

#include <exception>
#include <string>
#include <vector>

namespace orch::bridge {

class Problem : public std::exception {
public:
    /// One thing that is wrong with what was sent; `path` is a JSON Pointer into it.
    struct Part {
        std::string severity, path, code, message, detail, hint;
    };

    Problem(int status, std::string code, std::string title) : status(status), code(std::move(code)), title(std::move(title)) {}

    int status;
    std::string code;   ///< a SQLSTATE, or a word of the bridge's own: docs/http.md lists them
    std::string title;  ///< what is wrong; lower case, no period
    std::string detail, hint;
    std::vector<Part> parts;
    Headers headers;

    Problem &&with(std::string name, std::string value) &&
    {
        headers.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }
    Problem &&because(std::string text) &&
    {
        detail = std::move(text);
        return std::move(*this);
    }
    Problem &&hinting(std::string text) &&
    {
        hint = std::move(text);
        return std::move(*this);
    }

    const char *what() const noexcept override { return title.c_str(); }

    [[nodiscard]] Response response(const std::string &request_id) const;
};

}  // namespace orch::bridge
