#include "captured_output.hpp"
#include "executors.hpp"
#include "orch/text.hpp"

#include <cstring>
#include <map>

extern char **environ;

namespace orch {
namespace {

constexpr std::string_view secret_prefix = "ORCH_SECRET_";
constexpr int skip_exit_code = 99;

std::vector<std::string> environment_of(const leased_task &work, const json &spec, secret_filler &secrets)
{
    std::map<std::string, std::string, std::less<>> values;
    for (char **entry = environ; *entry; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        // A command gets the secrets that its definition names, not all that the worker holds.
        if (equals != text.npos && !text.starts_with(secret_prefix)) values.insert_or_assign(std::string(text.substr(0, equals)), text.substr(equals + 1));
    }
    const auto stated = spec.value("env", json::object());
    for (const auto &[name, value] : stated.items()) {
        if (name.empty() || name.find('=') != name.npos)
            throw task_error("validation", "invalid_env", "an environment variable cannot be named \"" + name + "\"");
        values[name] = secrets.fill(value.is_string() ? value.get<std::string>() : value.dump());
    }
    values["ORCH_RUN_ID"] = work.run_id;
    values["ORCH_TASK_ID"] = work.task_id;
    values["ORCH_ATTEMPT"] = std::to_string(work.attempt);
    values["ORCH_IDEMPOTENCY_KEY"] = work.idempotency_key;
    values["ORCH_INPUT"] = work.input;
    if (!work.traceparent.empty()) values["TRACEPARENT"] = work.traceparent;
    std::vector<std::string> list;
    list.reserve(values.size());
    for (const auto &[name, value] : values) list.emplace_back(name).append("=").append(value);
    return list;
}

std::vector<std::string> arguments_of(const json &command)
{
    if (command.is_string()) return {"/bin/sh", "-c", command.get<std::string>()};
    std::vector<std::string> list;
    if (command.is_array())
        for (const auto &argument : command) list.push_back(argument.is_string() ? argument.get<std::string>() : argument.dump());
    if (list.empty()) throw task_error("validation", "invalid_command", "the command is neither a string nor a list that names a program");
    return list;
}

/// Cuts a stream into the lines of the task's log while it comes in.
class line_splitter {
public:
    line_splitter(leased_task &work, std::string_view stream) : work_(work), stream_(stream) {}
    void push(std::string_view bytes)
    {
        for (size_t newline; (newline = bytes.find('\n')) != bytes.npos; bytes.remove_prefix(newline + 1)) {
            rest_ += bytes.substr(0, newline);
            emit();
        }
        rest_ += bytes;
        while (rest_.size() > long_line) {
            const size_t whole = front_of(rest_, long_line).size();
            work_.log(std::string_view(rest_).substr(0, whole), stream_);
            rest_.erase(0, whole);
        }
    }
    void finish()
    {
        if (!rest_.empty()) emit();
    }

private:
    void emit()
    {
        work_.log(rest_, stream_);
        rest_.clear();
    }
    static constexpr size_t long_line = 8192;
    leased_task &work_;
    std::string_view stream_;
    std::string rest_;
};

outcome result_of(const process_end &end, const captured_output &out, const captured_output &err, size_t max_result)
{
    const auto last = out.last_line();
    const bool looks_like_json = last.first == '{' || last.first == '[';
    // The line's own text goes on, so that no digit of a number is lost on the way.
    const bool is_json = last.whole && json::accept(last.text);
    const auto value = is_json ? without_nul_escapes(last.text) : "null";
    size_t budget = max_result - std::min<size_t>(max_result, 256);
    // A JSON value that was cut would be another value, so it is refused instead.
    const size_t value_size = is_json || (looks_like_json && !last.whole) ? last.text.size() : 0;
    if (value_size > budget)
        return outcome::failure(error_json("validation", "too_large",
                                           "the JSON of " + std::to_string(value_size) + " bytes in the last line of stdout is over the limit of " +
                                               std::to_string(max_result) + " bytes"));
    budget -= value_size;
    auto out_text = out.text(budget);
    auto err_text = err.text(budget);
    if (const size_t out_size = json_size(out_text), err_size = json_size(err_text); out_size + err_size > budget) {
        // Each has a right to half; what one leaves the other may take.
        const size_t half = budget / 2;
        if (err_size <= half) out_text = out.text(budget - err_size);
        else if (out_size <= half) err_text = err.text(budget - out_size);
        else out_text = out.text(half), err_text = err.text(half);
    }
    return {"\"output\":{\"exit_code\":" + std::to_string(end.exit_code) + ",\"stdout\":" + json(out_text).dump() + ",\"stderr\":" + json(err_text).dump() +
            ",\"duration_ms\":" + std::to_string(end.duration.count()) + ",\"json\":" + value + "}"};
}

outcome failure_of(const process_end &end, const captured_output &err, const std::string &program)
{
    const auto detail = err.text(4096);
    const auto last = clean_text(back_of(err.last_line().text, 500));
    if (end.start_errno == E2BIG)
        return outcome::failure(
            error_json("validation", "input_too_large", "the input and environment do not fit the program's environment", "One variable may have 128 KiB."));
    if (end.start_errno != 0) {
        auto error = error_json("handler", "exit_code", "cannot start \"" + program + "\": " + std::strerror(end.start_errno));
        error["exit_code"] = end.start_errno == ENOENT ? 127 : 126;  // what a shell would say
        return outcome::failure(error);
    }
    if (end.timed_out)
        return outcome::failure(
            error_json("timeout", "timeout", "the command ran into its timeout after " + std::to_string(end.duration.count()) + " ms", detail));
    if (end.stopped) return outcome::failure(error_json("cancelled", "cancelled", "the command was told to stop", detail));
    if (end.signal != 0)
        return outcome::failure(error_json("infrastructure", "signal",
                                           "the command was killed by SIG" + std::string(sigabbrev_np(end.signal) ? sigabbrev_np(end.signal) : "?"), detail));
    auto error = error_json("handler", "exit_code", last.empty() ? "the command ended with exit code " + std::to_string(end.exit_code) : last, detail);
    error["exit_code"] = end.exit_code;
    return outcome::failure(error);
}

/// What a command that skips its task says of it.
std::string last_words(const captured_output &out, const captured_output &err)
{
    const auto said = err.last_line().text;
    return clean_text(front_of(said.empty() ? out.last_line().text : said, 500));
}

}  // namespace

outcome run_command(leased_task &work, process_guard &guard, std::chrono::milliseconds grace, size_t max_result, const secret_lookup &lookup)
{
    try {
        const auto spec = json::parse(work.spec);
        secret_filler secrets(lookup);
        captured_output out(max_result), err(max_result);
        line_splitter out_lines(work, "stdout"), err_lines(work, "stderr");
        const process program{.arguments = arguments_of(spec.value("command", json())),
                              .environment = environment_of(work, spec, secrets),
                              .deadline = work.deadline,
                              .grace = grace,
                              .stop = work.stop,
                              .on_output = [&](bool is_stderr, std::string_view bytes) {
                                  (is_stderr ? err : out).push(bytes);
                                  (is_stderr ? err_lines : out_lines).push(bytes);
                              }};
        const auto end = run_process(program, guard);
        out_lines.finish();
        err_lines.finish();
        if (end.exit_code == skip_exit_code && !end.timed_out && !end.stopped) return outcome::skip(last_words(out, err));
        const bool succeeded = end.exit_code == 0 && end.start_errno == 0 && !end.timed_out && !end.stopped;
        return succeeded ? result_of(end, out, err, max_result) : failure_of(end, err, program.arguments[0]);
    } catch (const task_error &refused) {
        return outcome::failure(error_json(refused.error_class, refused.code, refused.what(), refused.detail));
    } catch (const std::exception &broken) {
        return outcome::failure(error_json("infrastructure", "worker", broken.what()));
    }
}

}  // namespace orch
