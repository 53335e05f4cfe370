#include "shared/mark.hpp"

#include "core/mark.hpp"
#include "pg/bridge.hpp"
#include "shared/settings.hpp"

#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "common/file_perm.h"
#include "storage/fd.h"
}

namespace orch::shared {

namespace {

// In the data directory, where the postmaster and all its children are.
constexpr const char *file_name = "orch.mark", *temporary_name = "orch.mark.new";

shmem_startup_hook_type next_hook;
constinit std::optional<core::Uuid> current;  // of the postmaster; all others are forked from it

bool is_there(const char *name)
{
    struct stat found;
    return stat(name, &found) == 0;
}

/// Nothing where the file cannot be a mark: a copy, then, as far as anybody can tell.
std::optional<core::Mark> read_mark()
{
    char text[256];
    size_t length = 0;
    pg::call_pg([&] {
        FILE *file = AllocateFile(file_name, PG_BINARY_R);
        if (!file && errno == ENOENT) return;
        if (!file) ereport(ERROR, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", file_name)));
        length = fread(text, 1, sizeof(text), file);
        if (ferror(file)) ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", file_name)));
        FreeFile(file);
    });
    return core::mark_from_text({text, length});
}

void write_mark(const core::Mark &mark)
{
    const std::string text = core::mark_to_text(mark);
    const char *bytes = text.data();
    const size_t length = text.size();
    pg::call_pg([&] {
        if (length == 0) {
            durable_unlink(file_name, ERROR);
            return;
        }
        const int file = OpenTransientFilePerm(temporary_name, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY, pg_file_create_mode);
        if (file < 0) ereport(ERROR, (errcode_for_file_access(), errmsg("could not create file \"%s\": %m", temporary_name)));
        errno = 0;
        if (write(file, bytes, length) != static_cast<ssize_t>(length)) {
            if (errno == 0) errno = ENOSPC;
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", temporary_name)));
        }
        if (pg_fsync(file) != 0 || CloseTransientFile(file) != 0)
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not fsync file \"%s\": %m", temporary_name)));
        durable_rename(temporary_name, file_name, ERROR);
    });
}

core::Uuid fresh_id()
{
    uint64 random = 0;
    if (!pg_strong_random(&random, sizeof(random))) throw pg::error{ERRCODE_INTERNAL_ERROR, "could not generate random numbers", {}, {}};
    return core::compose_uuid_v7(static_cast<uint64>(time(nullptr)) * 1000, 0, random);
}

void look_at_start()
{
    const core::Uuid fresh = fresh_id();
    const std::optional<core::Mark> found = read_mark();
    const core::StartSigns signs{is_there(STANDBY_SIGNAL_FILE), is_there(RECOVERY_SIGNAL_FILE), is_there(BACKUP_LABEL_FILE), settings::hold_on_promotion};
    const core::Mark mark = core::mark_at_start(found.value_or(core::Mark{fresh, std::nullopt}), signs, fresh);
    if (mark != found) write_mark(mark);
    current = mark.id();
}

// An error here ends the start: a copy that nobody could tell from its original must not come up.
void on_startup()
{
    if (next_hook) next_hook();
    if (!IsUnderPostmaster) pg::guarded<look_at_start>();
}

}  // namespace

void install_mark_hook()
{
    next_hook = shmem_startup_hook;
    shmem_startup_hook = on_startup;
}

const std::optional<core::Uuid> &mark() noexcept { return current; }

void note_end_of_recovery()
{
    const std::optional<core::Mark> found = read_mark();
    if (!found) return;
    if (const core::Mark mark = core::mark_after_recovery(*found); mark != *found) write_mark(mark);
}

}  // namespace orch::shared
