#include "background/processes.hpp"

namespace orch::background {

BackgroundWorkerHandle *start_process(const char *type, const char *name, const char *function, Datum argument, const void *extra, size_t extra_bytes)
{
    BackgroundWorkerHandle *handle = nullptr;
    pg::call_pg([&] {
        BackgroundWorker worker{};
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
        worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        worker.bgw_main_arg = argument;
        worker.bgw_notify_pid = MyProcPid;
        strlcpy(worker.bgw_library_name, "orch", BGW_MAXLEN);
        strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
        strlcpy(worker.bgw_type, type, BGW_MAXLEN);
        strlcpy(worker.bgw_name, name, BGW_MAXLEN);
        if (extra_bytes > 0) std::memcpy(worker.bgw_extra, extra, extra_bytes);
        if (!RegisterDynamicBackgroundWorker(&worker, &handle)) handle = nullptr;
    });
    return handle;
}

bool is_running(BackgroundWorkerHandle *handle)
{
    bool running = false;
    pg::call_pg([&] {
        pid_t pid = 0;
        const BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);
        running = status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED;
    });
    return running;
}

}  // namespace orch::background
