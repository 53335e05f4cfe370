#include "engine/access.hpp"

#include "core/encoding.hpp"
#include "engine/audit.hpp"
#include "engine/upkeep.hpp"
#include "pg/hmac.hpp"
#include "pg/membership.hpp"
#include "shared/clock.hpp"
#include "shared/rates.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

// 256 random bits behind a word by which scanners of source code know what they found.
std::string random_token() { return "orch_" + core::base64(pg::random_bytes(), core::Base64::url); }

Datum hash_of(const std::string &token)
{
    static pg::Statement hash("select pg_catalog.sha256($1::bytea)", {BYTEAOID});
    return hash.run(Parameters<1>().add(pg::text_datum(token))).get(0, 1);
}

std::string role_word(std::string_view role)
{
    std::string_view word = role;
    if (word.starts_with("orch_")) word.remove_prefix(5);
    for (const char *known : {"viewer", "operator", "worker", "admin"})
        if (word == known) return known;
    throw pg::error{
        ERRCODE_INVALID_PARAMETER_VALUE, "a token cannot have the role " + core::in_quotes(role), {}, "Roles are viewer, operator, worker and admin."};
}

// No colon: that is for subjects of issuers. No slash: a token stands in a path.
void require_token_name(const std::string &name)
{
    const auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '@' || c == '+'; };
    const bool good =
        !name.empty() && name.size() <= 128 && std::isalnum(static_cast<unsigned char>(name[0])) && std::all_of(name.begin(), name.end(), allowed);
    if (!good)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        core::in_quotes(name) + " cannot be the name of a token",
                        {},
                        "A name has 1 to 128 of the letters a to z in either case, digits and _ - . @ +, first a letter or digit."};
}

// A bridge speaks for one tenant at a time; whoever administers the database itself may choose any.
std::string tenant_for(const Call &call, const std::optional<std::string> &wanted)
{
    const std::string own = call.tenant();
    std::string tenant = wanted.value_or(own);
    if (tenant != own && pg::is_bridge_session())
        throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE,
                        "a token of tenant " + core::in_quotes(own) + " cannot create one of tenant " + core::in_quotes(tenant),
                        {},
                        "Create it with SQL, as a member of orch_admin."};
    const bool good = tenant != all_tenants && !tenant.empty() && tenant.size() <= 128 &&
                      std::none_of(tenant.begin(), tenant.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (!good)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        core::in_quotes(tenant) + " cannot be the name of a tenant",
                        {},
                        "A name has 1 to 128 bytes and no control character, and is not *."};
    return tenant;
}

core::Rate rate_of_tokens() { return core::Rate::of(settings::http_rate, settings::http_burst_s); }
core::Rate rate_of_addresses() { return core::Rate::of(settings::http_anonymous_rate, settings::http_burst_s); }

struct TokenRow {
    int32 id;
    bool revoked;
};

// What its row says of a token; nothing where there is no such row.
std::optional<TokenRow> find_token(Datum hash, TimestampTz now, Admission &admission)
{
    // By the hash of 256 random bits: how long the look-up takes tells nobody anything about a token.
    static pg::Statement select("select t.token_id, t.name, t.role, t.tenant, t.expires_at, t.revoked_at from _orch.token t where t.hash = $1", {BYTEAOID});
    const pg::Rows rows = select.run(Parameters<1>().add(hash), true);
    if (rows.empty()) return std::nullopt;
    admission.name = rows.text(0, 2);
    admission.role = "orch_" + rows.text(0, 3);
    admission.tenant = rows.text(0, 4);
    if (const auto at = rows.maybe(0, 5)) admission.expires_at = DatumGetTimestampTz(*at);
    const bool revoked = !rows.is_null(0, 6);
    admission.status = revoked ? "revoked" : admission.expires_at && *admission.expires_at <= now ? "expired" : "ok";
    return TokenRow{rows.int4(0, 1), revoked};
}

}  // namespace

std::string create_token(Call &call, const NewToken &wanted)
{
    static pg::Statement insert("insert into _orch.token (tenant, name, role, hash, created_at, created_by, expires_at) values ($1, $2, $3, $4, $5, $6, $7)"
                                " on conflict (tenant, name) where revoked_at is null do nothing returning token_id",
                                {TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID});
    require_token_name(wanted.name);
    const std::string role = role_word(wanted.role), tenant = tenant_for(call, wanted.tenant);
    if (wanted.expires_at && *wanted.expires_at <= call.now())
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "expires lies in the past", {}, "Give a moment that comes, or none for a token that does not expire."};
    std::string token = random_token();
    const auto time = [](const std::optional<TimestampTz> &at) { return at ? std::optional(TimestampTzGetDatum(*at)) : std::nullopt; };
    const pg::Rows rows = insert.run(Parameters<7>()
                                         .add(pg::text_datum(tenant))
                                         .add(pg::text_datum(wanted.name))
                                         .add(pg::text_datum(role))
                                         .add(hash_of(token))
                                         .add(time_datum(call.now()))
                                         .add(call.role_actor())
                                         .add(time(wanted.expires_at)));
    if (rows.empty())
        throw pg::error{ERRCODE_UNIQUE_VIOLATION, "token " + core::in_quotes(wanted.name) + " already exists",
                        "Names are unique among the tokens of a tenant that are not revoked.", "Choose another name, or revoke that one first."};
    core::Json details{{"token", wanted.name}, {"role", role}};
    if (wanted.expires_at) {
        char *text = nullptr;
        pg::call_pg([&] { text = pstrdup(timestamptz_to_str(*wanted.expires_at)); });
        details["expires_at"] = text;
    }
    audit(call, {.action = "create_token", .tenant = tenant, .details = details});
    return token;
}

bool revoke_token(Call &call, const std::string &name)
{
    static pg::Statement update("update _orch.token t set revoked_at = $3 where t.tenant = $1 and t.name = $2 and t.revoked_at is null returning t.role",
                                {TEXTOID, TEXTOID, TIMESTAMPTZOID});
    const std::string tenant = call.tenant();
    // Whoever is told that it is revoked may rely on it after a crash, too.
    ForceSyncCommit();
    const pg::Rows rows = update.run(Parameters<3>().add(pg::text_datum(tenant)).add(pg::text_datum(name)).add(time_datum(call.now())));
    if (rows.empty()) return false;
    audit(call, {.action = "revoke_token", .tenant = tenant, .details = {{"token", name}, {"role", rows.text(0, 1)}}});
    return true;
}

Admission admit(const Asking &asking)
{
    using shared::Asker;
    Call call;
    const uint32_t extension = pg::extension_oid();
    Admission admission;
    admission.status = asking.subject ? "ok" : asking.token_hash ? "unknown" : "anonymous";
    std::optional<TokenRow> token;
    if (asking.subject) admission.name = *asking.subject;
    else if (asking.token_hash) token = find_token(*asking.token_hash, call.now(), admission);
    admission.rate = admission.status == "ok" ? rate_of_tokens() : rate_of_addresses();
    if (asking.subject) admission.taken = shared::take_from(Asker::subject, *asking.subject, extension, admission.rate);
    else if (token && admission.status == "ok")
        admission.taken = shared::take_from(Asker::token, std::to_string(token->id), extension, admission.rate, token->id);
    else admission.taken = shared::take_from(Asker::address, asking.address.value_or(""), extension, admission.rate);
    if (!admission.taken.granted) admission.status = "limited";
    call.finish();
    return admission;
}

void write_token_uses()
{
    static pg::Statement update("update _orch.token t set last_used_at = u.at from unnest($1::int4[], $2::timestamptz[]) u(token_id, at)"
                                " where t.token_id = u.token_id and coalesce(t.last_used_at < u.at, true)",
                                {INT4ARRAYOID, TIMESTAMPTZARRAYOID});
    Call call;
    pg::Column id(INT4OID), at(TIMESTAMPTZOID);
    for (const shared::TokenUse &use : shared::token_uses(true)) {
        id.add(Int32GetDatum(use.token_id));
        at.add(TimestampTzGetDatum(use.at));
    }
    if (!id.empty()) update.run(Parameters<2>().add(id.array()).add(at.array()));
    call.finish();
}

}  // namespace orch::engine
