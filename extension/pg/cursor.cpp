#include "pg/cursor.hpp"

namespace orch::pg {

Cursor::Cursor(const std::string &query)
{
    const char *text = query.c_str();
    call_pg([&] {
        portal_ = SPI_cursor_open_with_args(nullptr, text, 0, nullptr, nullptr, nullptr, true, CURSOR_OPT_NO_SCROLL);
        if (!portal_) elog(ERROR, "could not open a cursor: %s", SPI_result_code_string(SPI_result));
    });
}

Rows Cursor::next(int64 limit)
{
    call_pg([&] {
        if (table_) SPI_freetuptable(table_);
        SPI_cursor_fetch(portal_, true, limit);
    });
    table_ = SPI_tuptable;
    return Rows(SPI_tuptable, SPI_processed);
}

void Cursor::close()
{
    call_pg([&] {
        if (table_) SPI_freetuptable(table_);
        SPI_cursor_close(portal_);
    });
    table_ = nullptr;
}

}  // namespace orch::pg
