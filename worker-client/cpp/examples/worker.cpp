#include <orch/worker.hpp>

int main()
{
    orch::worker worker({.database = "", .queues = {"images"}, .concurrency = 4});
    worker.handler("resize", [](orch::task_context &task, orch::json input) -> orch::json {
        if (!input.contains("width")) throw orch::task_error("validation", "no_width", "the input has no width");
        const int width = input["width"];
        task.log("resizing to " + std::to_string(width));
        int row = task.previous_progress.is_object() ? task.previous_progress.value("row", 0) : 0;                  // where a lost attempt was
        for (; row < width && !task.stop.stop_requested(); ++row) task.progress({{"row", row}, {"width", width}});  // a cancel or a timeout ends the work early
        return {{"width", width}, {"attempt", task.attempt}};
    });
    worker.run();  // until stop(), which a signal handler may call
}
