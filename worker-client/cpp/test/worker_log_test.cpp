#include "leased_task.hpp"
#include "worker_log.hpp"

#include <gtest/gtest.h>

namespace {

using namespace orch;

TEST(worker_log, a_line_of_json_names_run_task_attempt_and_trace)
{
    leased_task work;
    work.run_id = "r";
    work.task_id = "t";
    work.attempt = 2;
    work.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    EXPECT_EQ(cli::json_line(log_level::warning, "a \"quote\"\nand \xff", &work, "now"),
              R"({"time":"now","level":"warning","message":"a \"quote\"\nand )"
              "\xEF\xBF\xBD"
              R"(","run":"r","task":"t","attempt":2,"trace":"0af7651916cd43dd8448eb211c80319c"})");
    EXPECT_EQ(cli::json_line(log_level::info, "x", nullptr, "now"), R"({"time":"now","level":"info","message":"x"})");
}

}  // namespace
