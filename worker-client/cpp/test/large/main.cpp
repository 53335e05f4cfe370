// Large values through a real store and a real server: large directory PATH | large s3 ENDPOINT BUCKET. Exits 0 where all came back as it was.

#include <orch/client.hpp>
#include <orch/worker.hpp>

#include <algorithm>
#include <iostream>
#include <thread>

namespace {

using namespace orch;

payload_codec reversing()
{
    const auto turned = [](std::string text) {
        std::ranges::reverse(text);
        return text;
    };
    return {.encode = [turned](const json &value) { return json(turned(value.dump())); },
            .decode = [turned](const json &value) { return json::parse(turned(value.get<std::string>())); }};
}

task<json> doubles(context &ctx, json input)
{
    const auto text = ctx.load(input)["text"].get<std::string>();
    const json twice{{"text", text}};
    const auto remote = co_await ctx.step("double", twice);
    const auto here = co_await ctx.step("again", [&](task_context &task) { return json(task.load(remote).get<std::string>() + "!"); });
    co_await ctx.wait(std::chrono::milliseconds(50));  // so that all of it is read from the journal
    co_return here;
}

void expect(bool fact, const char *what)
{
    if (!fact) throw std::runtime_error(std::string("not so: ") + what);
    std::cout << "as wanted: " << what << "\n";
}

void run(const std::shared_ptr<const payloads> &values)
{
    worker worker({.concurrency = 2, .payloads = values, .log = [](log_level, const std::string &text, const task_context *) { std::cerr << text << "\n"; }});
    worker.handler("double", [](task_context &task, const json &input) -> json {
        const auto text = task.load(input)["text"].get<std::string>();
        return text + text;
    });
    worker.workflow("doubles", doubles);
    std::jthread serving([&] { worker.run(); });

    connection database("");
    client client(database);
    client.payloads = values;
    database.query("select orch.register_code('doubles')");
    const std::string secret(1000, 's');
    const auto made = client.trigger("doubles", {{"text", secret}});
    const auto input = database.query("select input::text from orch.runs where run_id = $1", {made.run_id}).text(0, "input");
    expect(input.find("sss") == std::string::npos, "the database does not see the input");
    const auto output = client.result(made.run_id, std::chrono::minutes(1));
    expect(output.contains("$orch_ref"), "the result is a reference");
    expect(client.load(output) == secret + secret + "!", "what it stands for is what was made");
    const auto seen = database.query("select count(*) as n from orch.events where run_id = $1 and data::text like '%sss%'", {made.run_id}).text(0, "n");
    expect(seen == "0", "nor does the history");
    worker.stop();
}

}  // namespace

int main(int, char **words)
{
    try {
        const std::string kind = words[1];
        std::shared_ptr<payload_store> store;
        if (kind == "directory") store = std::make_shared<directory_store>(words[2]);
        else
            store = std::make_shared<s3_store>(
                s3_options{.endpoint = words[2], .bucket = words[3], .prefix = "orch/", .access_key = "S3RVER", .secret_key = "S3RVER"});
        run(std::make_shared<const payloads>(store, reversing(), 500));
    } catch (const std::exception &failed) {
        std::cerr << failed.what() << "\n";
        return 1;
    }
}
