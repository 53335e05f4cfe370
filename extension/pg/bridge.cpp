#include "pg/bridge.hpp"

#include <new>
#include <stdexcept>

namespace orch::pg {

namespace {

// No palloc here that can ereport: we are inside a catch block. A text that finds no memory is left out.
char *copy_text(const char *text, size_t length)
{
    auto *copy = static_cast<char *>(MemoryContextAllocExtended(CurrentMemoryContext, length + 1, MCXT_ALLOC_NO_OOM));
    if (copy) {
        std::memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *copy_text(const std::string &text) { return text.empty() ? nullptr : copy_text(text.data(), text.size()); }

}  // namespace

failure describe_current_exception() noexcept
{
    failure f{};
    try {
        throw;
    } catch (const pg_error &e) {
        f.rethrow = e.data;
    } catch (const error &e) {
        f.code = e.code;
        f.message = copy_text(e.message);
        f.detail = copy_text(e.detail);
        f.hint = copy_text(e.hint);
    } catch (const std::bad_alloc &) {
        f.code = ERRCODE_OUT_OF_MEMORY;
        f.message = copy_text("out of memory", 13);
    } catch (const std::exception &e) {
        f.code = ERRCODE_INTERNAL_ERROR;
        f.message = copy_text(e.what(), std::strlen(e.what()));
        f.hint = copy_text(std::string("This is a fault in orch: please report it with the statement that led here."));
    } catch (...) {
        f.code = ERRCODE_INTERNAL_ERROR;
        f.message = copy_text("unexpected exception", 20);
        f.hint = copy_text(std::string("This is a fault in orch: please report it with the statement that led here."));
    }
    return f;
}

void report(const failure &f)
{
    if (f.rethrow) ReThrowError(f.rethrow);
    ereport(ERROR, (errcode(f.code), errmsg_internal("%s", f.message ? f.message : "out of memory"), f.detail ? errdetail_internal("%s", f.detail) : 0,
                    f.hint ? errhint("%s", f.hint) : 0));
    pg_unreachable();
}

void log_failure(const failure &f, const char *doing, const char *next)
{
    const char *message = f.rethrow ? f.rethrow->message : f.message;
    const int code = f.rethrow ? f.rethrow->sqlerrcode : f.code;
    ereport(LOG, (errmsg_internal("orch: %s failed: %s (%s); %s", doing, message ? message : "out of memory", unpack_sql_state(code), next),
                  f.rethrow && f.rethrow->detail ? errdetail_internal("%s", f.rethrow->detail) : 0));
}

}  // namespace orch::pg
