#include "api/multipart.hpp"

#include "server/problem.hpp"
#include "server/text.hpp"

namespace orch::bridge {

namespace {

constexpr size_t most_parts = 200;

[[noreturn]] void refuse_form(const std::string &why) { throw Problem(400, "form_invalid", "the form cannot be read").because(why); }

/// The value of NAME in `header; NAME=value; NAME="value"`, empty where there is none.
std::string parameter_of(std::string_view header, std::string_view name)
{
    for (size_t at = header.find(';'); at != header.npos;) {
        header.remove_prefix(at + 1);
        const auto equals = header.find_first_of("=;");
        if (equals == header.npos || header[equals] == ';') {
            at = header.find(';');
            continue;
        }
        const std::string_view key = trimmed(header.substr(0, equals));
        header.remove_prefix(equals + 1);
        std::string value;
        if (header.starts_with('"')) {
            size_t i = 1;
            for (; i < header.size() && header[i] != '"'; i++) {
                if (header[i] == '\\' && i + 1 < header.size()) i++;
                value += header[i];
            }
            header.remove_prefix(std::min(i + 1, header.size()));
            at = header.find(';');
        } else {
            at = header.find(';');
            value = std::string(trimmed(header.substr(0, at)));
        }
        if (equal_without_case(key, name)) return value;
    }
    return {};
}

void read_part_header(FormPart &part, std::string_view lines)
{
    while (!lines.empty()) {
        const auto end = lines.find("\r\n");
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end == lines.npos ? lines.size() : end + 2);
        const auto colon = line.find(':');
        if (colon == line.npos) refuse_form("A part has a header line without a colon.");
        const std::string_view name = trimmed(line.substr(0, colon)), value = trimmed(line.substr(colon + 1));
        if (equal_without_case(name, "Content-Disposition")) {
            part.name = parameter_of(value, "name");
            part.filename = parameter_of(value, "filename");
        } else if (equal_without_case(name, "Content-Type")) part.content_type = std::string(value);
    }
    if (!is_utf8(part.name) || !is_utf8(part.filename)) refuse_form("The name of a part is not valid UTF-8.");
}

}  // namespace

std::vector<FormPart> read_multipart(std::string_view content_type, std::string_view body)
{
    const std::string boundary = parameter_of(content_type, "boundary");
    if (boundary.empty() || boundary.size() > 70) refuse_form("Its Content-Type has no boundary of 1 to 70 characters.");
    const std::string delimiter = "--" + boundary;
    std::vector<FormPart> parts;
    size_t at = body.find(delimiter);
    // What stands before the first delimiter has to end a line.
    if (at == body.npos || (at > 0 && !body.substr(0, at).ends_with("\r\n"))) refuse_form("It does not begin with its boundary.");
    for (;;) {
        at += delimiter.size();
        if (body.substr(at).starts_with("--")) return parts;
        at = body.find("\r\n", at);
        if (at == body.npos) refuse_form("It ends within a part.");
        at += 2;
        const auto next = body.find("\r\n" + delimiter, at - 2);
        if (next == body.npos) refuse_form("Its last boundary is missing.");
        FormPart part;
        const auto blank = body.find("\r\n\r\n", at - 2);
        if (blank == body.npos || blank > next) refuse_form("A part has no empty line after its header.");
        if (blank >= at) read_part_header(part, body.substr(at, blank - at));
        const size_t content = blank + 4;
        part.content = content <= next ? std::string(body.substr(content, next - content)) : std::string();
        parts.push_back(std::move(part));
        if (parts.size() > most_parts) refuse_form("It has more than " + std::to_string(most_parts) + " parts.");
        at = next + 2;
    }
}

}  // namespace orch::bridge
