#include "engine/hook.hpp"

#include "core/encoding.hpp"
#include "core/json_path.hpp"
#include "core/template.hpp"
#include "engine/audit.hpp"
#include "engine/notify.hpp"
#include "engine/trigger.hpp"
#include "pg/expression.hpp"
#include "pg/hmac.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

constexpr int64 unix_epoch_seconds = INT64CONST(946'684'800);  // PostgreSQL counts from 2000

bool is_hook_name(std::string_view name)
{
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && name.size() <= 128 && plain(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

std::string lower_text(std::string text)
{
    for (char &c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

[[noreturn]] void refuse_template(const std::string &message, const std::string &hint = {})
{
    throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the input's template: " + message, {}, hint};
}

void check_template_text(const std::string &text)
{
    const auto parsed = core::parse_template(text);
    if (const auto *fault = std::get_if<core::TemplateFault>(&parsed)) refuse_template(fault->message, fault->hint);
    for (const core::TemplatePart &part : std::get<0>(parsed)) {
        const auto *expression = std::get_if<core::TemplateExpression>(&part);
        if (!expression) continue;
        if (expression->is_secret) refuse_template("secrets are the workers'");
        for (const core::TemplateOperand &operand : expression->operands) {
            if (operand.is_literal) continue;
            if (const auto fault = pg::path_fault(operand.text)) refuse_template(*fault);
            for (const core::PathReference &reference : core::references(operand.text))
                if (reference.root != "body" && reference.root != "headers" && reference.root != "delivery")
                    refuse_template("it can name body, headers and delivery, not " + core::in_quotes(reference.root));
        }
    }
}

void check_template(const core::Json &value)
{
    if (value.is_string() && core::text_has_template(value.get_ref<const std::string &>())) check_template_text(value.get<std::string>());
    if (value.is_structured())
        for (const auto &element : value) check_template(element);
}

core::Json json_of(Datum jsonb)
{
    auto parsed = core::parse(pg::json_text_of(jsonb), {.max_bytes = SIZE_MAX, .exact_integers = false});
    if (const auto *problem = std::get_if<core::Problem>(&parsed)) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, {}};
    return std::get<core::Json>(std::move(parsed));
}

[[noreturn]] void refuse_delivery()
{
    throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "the delivery is not signed as this hook wants it",
                    {},
                    "Check the secret, the format of the signature, and the clock of the sender."};
}

// The headers by their names in lower case.
core::Json lower_names(const core::Json &headers)
{
    core::Json lower = core::Json::object();
    if (headers.is_object())
        for (const auto &[name, value] : headers.get_ref<const core::Json::object_t &>()) lower[lower_text(name)] = value;
    return lower;
}

struct Hook {
    std::string tenant, workflow, secret, header;
    core::HookFormat format;
    std::optional<Datum> input;
};

Hook hook_of(const std::string &name)
{
    static pg::Statement select("select h.tenant, h.workflow, h.secret, h.signature_header, h.format, h.input from _orch.hook h where h.hook = $1", {TEXTOID});
    const pg::Rows rows = select.run(Parameters<1>().add(pg::text_datum(name)));
    if (rows.empty()) throw pg::error{ERRCODE_UNDEFINED_OBJECT, "there is no hook " + core::in_quotes(name), {}, {}};
    return {rows.text(0, 1), rows.text(0, 2), rows.text(0, 3), rows.text(0, 4), core::hook_format_from(rows.text(0, 5)).value(), rows.maybe(0, 6)};
}

// The id of the delivery, once its signature is found to be right.
std::string admit_delivery(Call &call, const Hook &hook, std::string_view body, const core::Json &headers)
{
    const auto delivery = core::read_delivery(hook.format, hook.header, headers);
    if (!delivery) refuse_delivery();
    const pg::Sha256 hash = pg::hmac_sha256(core::secret_bytes(hook.secret).value_or(""), {delivery->signed_text_prefix, body});
    const std::string right = core::signature_text(hook.format, hash);
    bool is_right = false;
    for (const std::string &signature : delivery->signatures) is_right |= core::equal_in_constant_time(right, signature);
    const int64 now = call.now() / USECS_PER_SEC + unix_epoch_seconds;
    if (delivery->timestamp) is_right &= std::abs(now - *delivery->timestamp) <= core::hook_tolerance_seconds;
    if (!is_right) refuse_delivery();
    // Where nothing names it, what is signed does: the same body again is the same delivery.
    return delivery->id.empty() ? "sha256=" + core::hex(hash) : delivery->id;
}

std::string parsed_body(std::string_view body)
{
    if (body.empty()) return "null";
    auto parsed = core::parse(body, {.exact_integers = false});
    if (const auto *problem = std::get_if<core::Problem>(&parsed))
        throw pg::error{ERRCODE_INVALID_TEXT_REPRESENTATION, "the body is not JSON: " + problem->message, {}, "Let the sender use application/json."};
    return std::string(body);
}

Datum input_from(const Hook &hook, const std::string &id, const std::string &body, const core::Json &headers)
{
    if (!hook.input) return pg::jsonb_datum(body);
    const Datum document = pg::jsonb_datum(R"({"body":)" + body + R"(,"headers":)" + core::to_text(headers) + R"(,"delivery":)" +
                                           core::to_text(core::Json{{"id", id}, {"tenant", hook.tenant}}) + "}");
    const core::Json form = json_of(*hook.input);
    std::string text;
    try {
        pg::bounded(settings::expression_timeout_ms, [&] {
            text = core::render(form, [&](const std::string &path) -> std::optional<std::string> {
                const std::optional<Datum> found = pg::find_path(document, path);
                return found ? std::optional(pg::json_text_of(*found)) : std::nullopt;
            });
        });
    } catch (const core::template_error &e) {
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, std::string("the delivery does not have what the hook's input wants: ") + e.what(), {}, {}};
    } catch (const pg::expression_failed &e) {
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the hook's input could not be made: " + e.message, {}, {}};
    }
    return pg::jsonb_datum(text);
}

}  // namespace

std::optional<std::string> create_hook(Call &call, const HookDefinition &d)
{
    static pg::Statement insert("insert into _orch.hook (hook, tenant, workflow, secret, format, signature_header, input, created_at, created_by)"
                                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (hook) do nothing",
                                {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, TEXTOID});
    if (!is_hook_name(d.name))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "a hook cannot be called " + core::in_quotes(d.name),
                        {},
                        "It is a part of an address: 1 to 128 letters, digits and _ - ., first a letter, digit or _."};
    const auto format = core::hook_format_from(d.format);
    if (!format) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "unknown format " + core::in_quotes(d.format), {}, "Formats are github, standard and hex."};
    if (d.header && (*format != core::HookFormat::hex || !is_hook_name(*d.header)))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "signature_header is no header of this format", {}, "Only the format hex has a header to choose."};
    const std::string header = d.header ? lower_text(*d.header) : std::string(core::signature_header(*format));
    if (d.input) check_template(json_of(*d.input));
    const Secret secret = secret_from(d.secret);
    const std::string tenant = call.tenant();
    current_version(tenant, d.workflow, std::nullopt);
    Parameters<9> parameters;
    parameters.add(pg::text_datum(d.name)).add(pg::text_datum(tenant)).add(pg::text_datum(d.workflow)).add(pg::text_datum(secret.stored));
    parameters.add(pg::text_datum(core::hook_format_name(*format))).add(pg::text_datum(header)).add(d.input).add(time_datum(call.now()));
    insert.run(parameters.add(pg::text_datum(deed_name(call.caller()))));
    if (insert.processed() == 0)
        throw pg::error{
            ERRCODE_DUPLICATE_OBJECT, "hook " + core::in_quotes(d.name) + " already exists", {}, "Drop it first, in the same transaction, to change it."};
    audit(call,
          {.action = "create_hook", .tenant = tenant, .workflow = d.workflow, .details = {{"hook", d.name}, {"format", core::hook_format_name(*format)}}});
    return secret.made;
}

bool drop_hook(Call &call, const std::string &name)
{
    static pg::Statement remove("delete from _orch.hook where tenant = $1 and hook = $2", {TEXTOID, TEXTOID});
    remove.run(Parameters<2>().add(pg::text_datum(call.tenant())).add(pg::text_datum(name)));
    if (remove.processed() == 0) return false;
    audit(call, {.action = "drop_hook", .tenant = call.tenant(), .details = {{"hook", name}}});
    return true;
}

Received receive_hook(Call &call, const std::string &name, std::string_view body, Datum headers_given)
{
    const Hook hook = hook_of(name);
    const core::Json headers = lower_names(json_of(headers_given));
    const std::string id = admit_delivery(call, hook, body, headers);
    const std::optional<std::string> key = "hook/" + name + "/" + id;

    TriggerOptions options;
    options.source = "webhook";
    options.by_engine = true;
    options.tenant = hook.tenant;
    options.actor = pg::text_datum("hook:" + name);
    const int32 workflow_id = current_version(hook.tenant, hook.workflow, std::nullopt).version->workflow_id;
    if (const auto known = known_run(workflow_id, *key)) return {known->run, false, known->state};
    const Datum input = input_from(hook, id, parsed_body(body), headers);
    try {
        const Triggered triggered = trigger(call, hook.workflow, {&input, 1}, {&key, 1}, options).front();
        return {triggered.run, triggered.created, triggered.state};
    } catch (const pg::error &e) {
        // The same delivery came twice at once, with headers that differ.
        if (e.code != pg::idempotency_conflict) throw;
        if (const auto known = known_run(workflow_id, *key)) return {known->run, false, known->state};
        throw;
    }
}

}  // namespace orch::engine
