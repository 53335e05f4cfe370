#include "engine/log.hpp"

#include "core/lease_text.hpp"
#include "engine/settle.hpp"

namespace orch::engine {

namespace {

constexpr int64 most_lines = 10'000;  // an attempt
constexpr int64 most_bytes = 1 << 20;
constexpr size_t longest_line = 64 * 1024;

TimestampTz moment(Datum line, TimestampTz now)
{
    auto text = pg::text_member(line, "at");
    if (!text) return now;
    const char *source = text->c_str();
    TimestampTz at = now;
    pg::call_pg(
        [&] { at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(source), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))); });
    return at;
}

// Cut at a character's border, and say so.
std::string bounded(std::string line)
{
    if (line.size() <= longest_line) return line;
    const char *text = line.data();
    const int cut = pg_mbcliplen(text, static_cast<int>(line.size()), static_cast<int>(longest_line));
    return line.substr(0, cut) + " [" + std::to_string(line.size() - cut) + " bytes more]";
}

}  // namespace

int32 append_log(Call &, const TaskRef &task, int16 attempt, const std::vector<LogLine> &lines)
{
    static pg::Statement stored("select count(*), coalesce(max(line_no), 0), coalesce(sum(octet_length(line)), 0) from _orch.log_{} where run_id = $1 and "
                                "task_no = $2 and attempt = $3",
                                {UUIDOID, INT4OID, INT2OID});
    static pg::Statement insert(
        "insert into _orch.log_{} (run_id, at, task_no, attempt, line_no, stream, line)"
        " select $1, u.at, $2, $3, $4 + u.n, u.stream, u.line from unnest($5::timestamptz[], $6::text[], $7::text[]) with ordinality u(at, stream, line, n)"
        " on conflict do nothing",
        {UUIDOID, INT4OID, INT2OID, INT4OID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID});
    const Datum run = pg::uuid_datum(task.run);
    pg::Rows rows = stored.run_on(day_of(task.run), Parameters<3>().add(run).add(Int32GetDatum(task.task_no)).add(Int16GetDatum(attempt)));
    int64 count = rows.int8(0, 1), bytes = rows.int8(0, 3);
    pg::Column at(TIMESTAMPTZOID), stream(TEXTOID), text(TEXTOID);
    for (const LogLine &l : lines) {
        const std::string line = bounded(l.line);
        if (count >= most_lines || bytes + static_cast<int64>(line.size()) > most_bytes) break;
        count++;
        bytes += static_cast<int64>(line.size());
        at.add(time_datum(l.at));
        stream.add(pg::text_datum(l.stream));
        text.add(pg::text_datum(line));
    }
    if (at.empty()) return 0;
    insert.run_on(day_of(task.run), Parameters<7>()
                                        .add(run)
                                        .add(Int32GetDatum(task.task_no))
                                        .add(Int16GetDatum(attempt))
                                        .add(Int32GetDatum(rows.int4(0, 2)))
                                        .add(at.array())
                                        .add(stream.array())
                                        .add(text.array()));
    return static_cast<int32>(at.size());
}

int32 store_log(Call &call, const std::string &lease_text, Datum lines)
{
    auto elements = pg::elements(lines);
    if (!elements) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "lines must be a JSON array", {}, "Write [{\"stream\": \"stdout\", \"line\": \"...\"}]."};
    const auto lease = core::decode_lease(lease_text);
    if (!lease || !leaf_exists(day_of(lease->run_id)) || !still_running({lease->run_id, lease->task_no}, static_cast<int64>(lease->token), call.tenant()))
        throw pg::error{pg::lease_lost, "the lease is lost", "Lines of an attempt are taken while it runs.", {}};
    std::vector<LogLine> parsed;
    for (Datum element : *elements) {
        auto line = pg::text_member(element, "line");
        if (!line)
            throw pg::error{
                ERRCODE_INVALID_PARAMETER_VALUE, "line " + std::to_string(parsed.size()) + " has no text", {}, "Each element is {stream, line, at}."};
        parsed.push_back({pg::text_member(element, "stream").value_or("stdout"), std::move(*line), moment(element, call.now())});
    }
    return append_log(call, {lease->run_id, lease->task_no}, static_cast<int16>(lease->attempt), parsed);
}

}  // namespace orch::engine
