#include "orch/yaml.hpp"

#include "core_schema.hpp"
#include "orch/text.hpp"

#include <libfyaml.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <vector>

// JSON is written as the parser's events come in; no tree is built. An anchor keeps the piece of JSON that its node became, an alias writes it again: so
// the bytes written are the whole cost of an expansion, and an alias inside its own node is one whose piece does not exist yet.

namespace orch {
namespace {

constexpr size_t max_levels = 1000;  // the server allows far fewer

struct level {
    bool mapping;
    bool has_items = false;
    bool expects_value = false;  // in a mapping: the key is written
    std::set<std::string, std::less<>> keys;
    std::string anchor;
    size_t start;
};

class converter {
public:
    explicit converter(size_t max_bytes) : max_bytes_(max_bytes) {}

    void take(fy_event *event);
    std::string json;
    bool done = false;

private:
    [[noreturn]] void refuse(const std::string &what) const { throw yaml_error(line_, column_, what); }
    void begin_value();
    void end_value(const std::string &anchor, size_t start);
    void open(fy_event *event, bool mapping);
    void close();
    void scalar(fy_event *event);
    void key(std::string_view text);
    void alias(std::string_view name);
    std::string scalar_json(std::string_view text, bool plain, std::string_view tag) const;
    void write(std::string_view text);

    size_t max_bytes_;
    int line_ = 1, column_ = 1;
    std::vector<level> levels_;
    std::map<std::string, std::string, std::less<>> anchors_;
};

std::string_view text_of(fy_token *token)
{
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : nullptr;
    return text ? std::string_view(text, length) : std::string_view();
}

std::string anchor_of(fy_event *event) { return std::string(text_of(fy_event_get_anchor_token(event))); }

/// `str` of `!!str`, `!` of the lone mark that makes text of anything, the whole tag where it is none of the core schema.
std::string tag_of(fy_event *event)
{
    constexpr std::string_view core = "tag:yaml.org,2002:";
    const auto tag = text_of(fy_event_get_tag_token(event));
    return std::string(tag.starts_with(core) ? tag.substr(core.size()) : tag);
}

/// The parser takes invalid bytes for the end of the text, or hands them on.
void require_utf8(std::string_view text)
{
    int line = 1, column = 1;
    while (!text.empty()) {
        const size_t length = character_length(text);
        if (length == 0) throw yaml_error(line, column, "the text is not valid UTF-8");
        column = text[0] == '\n' ? 1 : column + 1;
        line += text[0] == '\n' ? 1 : 0;
        text.remove_prefix(length);
    }
}

void converter::write(std::string_view text)
{
    if (json.size() + text.size() > max_bytes_) refuse("the document expands to more than " + std::to_string(max_bytes_) + " bytes of JSON");
    json += text;
}

void converter::begin_value()
{
    if (levels_.empty()) return;
    auto &top = levels_.back();
    if (top.mapping) return;
    if (top.has_items) write(",");
    top.has_items = true;
}

void converter::end_value(const std::string &anchor, size_t start)
{
    if (!anchor.empty()) anchors_[anchor] = json.substr(start);
    if (!levels_.empty()) levels_.back().expects_value = false;
}

void converter::key(std::string_view text)
{
    auto &top = levels_.back();
    if (!top.keys.emplace(text).second) refuse("the key " + nlohmann::json(std::string(front_of(text, 80))).dump() + " is there twice");
    if (top.has_items) write(",");
    top.has_items = true;
    top.expects_value = true;
    write(nlohmann::json(text).dump() + ":");
}

void converter::open(fy_event *event, bool mapping)
{
    if (!levels_.empty() && levels_.back().mapping && !levels_.back().expects_value) refuse("a key must be a scalar, since JSON has no other keys");
    const auto tag = tag_of(event);
    if (!tag.empty() && tag != "!" && tag != (mapping ? "map" : "seq"))
        refuse("the tag " + std::string(front_of(tag, 80)) + " is unknown or does not fit here");
    if (levels_.size() >= max_levels) refuse("the nesting is deeper than " + std::to_string(max_levels) + " levels");
    begin_value();
    levels_.push_back({.mapping = mapping, .keys = {}, .anchor = anchor_of(event), .start = json.size()});
    if (!levels_.back().anchor.empty()) anchors_.erase(levels_.back().anchor);
    write(mapping ? "{" : "[");
}

void converter::close()
{
    const auto ended = std::move(levels_.back());
    levels_.pop_back();
    write(ended.mapping ? "}" : "]");
    end_value(ended.anchor, ended.start);
}

void converter::alias(std::string_view name)
{
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) {
        for (const auto &outer : levels_)
            if (outer.anchor == name) refuse("the alias *" + std::string(name) + " stands inside the node that it names");
        refuse("no node has the anchor &" + std::string(name));
    }
    if (!levels_.empty() && levels_.back().mapping && !levels_.back().expects_value) refuse("an alias cannot be a key");
    begin_value();
    write(found->second);
    end_value("", 0);
}

std::string converter::scalar_json(std::string_view text, bool plain, std::string_view tag) const
{
    using core_schema::kind;
    const auto found = core_schema::kind_of(text);
    try {
        if (tag.empty()) {
            if (const auto resolved = plain ? core_schema::resolve(text) : std::nullopt) return *resolved;
            return nlohmann::json(text).dump();
        }
        if (tag == "str" || tag == "!") return nlohmann::json(text).dump();
        if (tag == "null" && found == kind::null) return "null";
        if (tag == "bool" && found == kind::boolean) return *core_schema::resolve(text);
        if (tag == "int" && found == kind::integer) return *core_schema::resolve(text);
        if (tag == "float" && (found == kind::real || found == kind::integer)) return *core_schema::resolve(text);
    } catch (const std::range_error &unsayable) {
        refuse(unsayable.what());
    }
    for (const auto *known : {"null", "bool", "int", "float"})
        if (tag == known) refuse("the value is no !!" + std::string(tag) + " of the core schema");
    refuse("the tag " + std::string(front_of(tag, 80)) + " is unknown or does not fit a scalar");
}

void converter::scalar(fy_event *event)
{
    const auto text = text_of(event->scalar.value);
    const bool plain = !event->scalar.value || fy_scalar_token_get_style(event->scalar.value) == FYSS_PLAIN;
    if (!levels_.empty() && levels_.back().mapping && !levels_.back().expects_value) {
        if (plain && text == "<<") refuse("merge keys (<<) are not part of YAML 1.2: write the fields out, or quote the key");
        if (const auto anchor = anchor_of(event); !anchor.empty()) anchors_[anchor] = nlohmann::json(text).dump();
        return key(text);
    }
    begin_value();
    const size_t start = json.size();
    write(scalar_json(text, plain, tag_of(event)));
    end_value(anchor_of(event), start);
}

void converter::take(fy_event *event)
{
    if (const fy_mark *mark = fy_event_start_mark(event)) {
        line_ = mark->line + 1;
        column_ = mark->column + 1;
        // These marks stand behind the star or the quote.
        const bool quoted =
            event->type == FYET_SCALAR && event->scalar.value &&
            (fy_scalar_token_get_style(event->scalar.value) == FYSS_SINGLE_QUOTED || fy_scalar_token_get_style(event->scalar.value) == FYSS_DOUBLE_QUOTED);
        if (event->type == FYET_ALIAS || quoted) --column_;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (done) refuse("a second document begins here, and a definition is one");
        break;
    case FYET_DOCUMENT_END: done = true; break;
    case FYET_MAPPING_START: return open(event, true);
    case FYET_SEQUENCE_START: return open(event, false);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END: return close();
    case FYET_SCALAR: return scalar(event);
    case FYET_ALIAS: return alias(text_of(event->alias.anchor));
    default: break;
    }
}

/// The parser's first complaint.
yaml_error complaint_of(fy_diag *collected)
{
    void *position = nullptr;
    const auto *first = fy_diag_errors_iterate(collected, &position);
    if (!first || !first->msg) return {1, 1, "this is not YAML"};
    return {std::max(first->line, 0) + 1, std::max(first->column, 0) + 1, clean_text(first->msg)};
}

}  // namespace

std::string yaml_to_json(std::string_view yaml, size_t max_bytes)
{
    if (yaml.size() > max_bytes) throw yaml_error(1, 1, "the text has " + std::to_string(yaml.size()) + " bytes, more than " + std::to_string(max_bytes));

    require_utf8(yaml);

    fy_diag_cfg silent{};
    fy_diag_cfg_default(&silent);
    silent.fp = nullptr;
    silent.output_fn = [](fy_diag *, void *, const char *, size_t) {};
    const std::unique_ptr<fy_diag, decltype(&fy_diag_destroy)> diag(fy_diag_create(&silent), fy_diag_destroy);
    fy_diag_set_collect_errors(diag.get(), true);
    const fy_parse_cfg settings{
        .search_path = "", .flags = static_cast<fy_parse_cfg_flags>(FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2), .userdata = nullptr, .diag = diag.get()};
    const std::unique_ptr<fy_parser, decltype(&fy_parser_destroy)> parser(fy_parser_create(&settings), fy_parser_destroy);
    if (!parser || fy_parser_set_string(parser.get(), yaml.data(), yaml.size()) != 0) throw std::bad_alloc();

    converter output(max_bytes);
    while (fy_event *event = fy_parser_parse(parser.get())) {
        const auto release = [&](fy_event *taken) { fy_parser_event_free(parser.get(), taken); };
        const std::unique_ptr<fy_event, decltype(release)> held(event, release);
        output.take(event);
    }
    if (fy_parser_get_stream_error(parser.get())) throw complaint_of(diag.get());
    if (!output.done) throw yaml_error(1, 1, "the text holds no document");
    require_utf8(output.json);  // an escape such as "\ud800" writes what is none
    return std::move(output.json);
}

}  // namespace orch
